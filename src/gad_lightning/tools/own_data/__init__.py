"""Commands for people with videos and annotations of their own."""
