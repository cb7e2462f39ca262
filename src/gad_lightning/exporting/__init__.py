"""Classifiers as programs that run without this library: whole windows, and one step of live streams."""
