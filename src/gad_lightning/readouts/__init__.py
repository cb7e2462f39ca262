"""Readouts: from a language model that writes to class scores. One file each."""
