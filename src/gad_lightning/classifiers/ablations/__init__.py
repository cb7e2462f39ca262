"""Classifiers of the paper's ablations."""
