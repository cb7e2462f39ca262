"""Frames as they come -> labels."""
