"""Which frames, which questions: records of videos become batches. No text, no network."""
