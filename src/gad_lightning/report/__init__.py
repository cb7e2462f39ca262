"""The page that `gad-lightning report` writes: one file, nothing fetched, every text escaped."""
