"""Where weights come from, and what tells them apart: the hub, GGUF files, digests."""
