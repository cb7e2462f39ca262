"""Data that nobody had to record: toy timelines, simulated features, rendered kitchen videos."""
