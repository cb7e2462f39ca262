"""From probabilities to decisions: temperature, thresholds of a stated false-alarm rate, durations, label sets."""
