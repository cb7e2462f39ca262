"""Pixels and features at given times; no labels, no text."""
