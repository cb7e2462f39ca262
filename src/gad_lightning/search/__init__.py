"""Search for moments: indexes of runs, questions by text, example or order, and their answers as a page."""
