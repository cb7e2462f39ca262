"""How forward passes are made fast: blocks of the mask, packed rows, kept keys and values."""
