"""Label tokens: how a class is written. One file each."""
