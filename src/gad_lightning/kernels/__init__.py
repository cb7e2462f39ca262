"""Kernels of sequences: how alike two orders of slices are. One file each; no gradient goes through them."""
