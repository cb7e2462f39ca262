"""An index of moments of videos by their states: nearest neighbors, memory-mapped."""
