"""Kitchen videos drawn by a program, for the demo, tests and experiments."""
