"""Prediction of any number of videos: results are written as they come, and memory does not grow with them."""
