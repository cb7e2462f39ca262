"""Scores of how unlike the training an answer is; see base.py."""
