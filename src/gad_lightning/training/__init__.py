"""Runs that are stopped and go on: place in the epoch, seeds, whole checkpoint files, signals."""
