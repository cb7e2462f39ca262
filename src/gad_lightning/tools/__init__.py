"""One file a command of ``gad-lightning``, each with a typed ``main``."""
