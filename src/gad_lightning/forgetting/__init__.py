"""What fine-tuning costs the language model of its general abilities."""
