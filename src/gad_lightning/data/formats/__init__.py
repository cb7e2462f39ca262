"""Annotation files of other tools, read and written; one file a format, found by its ``FORMAT``."""
