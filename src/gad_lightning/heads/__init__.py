"""Heads: one slot state -> class logits. One file each."""
