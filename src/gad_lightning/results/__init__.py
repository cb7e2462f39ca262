"""What a run leaves on the disk, how it is written and read, and the standard metrics of what it predicted."""
