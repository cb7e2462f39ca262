"""Encodes videos: pictures in, features out."""
