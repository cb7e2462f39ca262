"""Choices of the slot, the token whose state a head reads. One file each."""
