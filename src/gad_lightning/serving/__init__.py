"""Live streams and videos over the network: a server, its page, and its client."""
