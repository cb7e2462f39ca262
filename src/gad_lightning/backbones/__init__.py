"""Language models that read prompt and frames and give one state a token."""
