"""Classifiers on disk and on the hub: what is stored, how it is checked, and what a new one takes over."""
