"""Names of data sets and arms, in the order of the tables."""

DATA = ("ikea", "jigsaws", "kitchen")
ARMS = ("none", "mean", "alignment", "permuted", "match")
WRITING = ("gen", "texts")
"""Generative classifiers without and with the texts of similar training moments."""
