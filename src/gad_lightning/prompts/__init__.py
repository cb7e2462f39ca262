"""What the language model reads: the prompt, the openers and the answers, as tokens; no network here."""
