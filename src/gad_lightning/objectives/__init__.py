"""Training objectives beside the class loss, never run by predict. One file each."""
