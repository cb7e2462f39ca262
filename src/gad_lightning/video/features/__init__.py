"""Features on disk: files, what they say of themselves, and how they are read."""
