"""Lets ``python -m gad_lightning`` do what ``gad-lightning`` does."""

from __future__ import annotations

from gad_lightning.cli import run

if __name__ == "__main__":
    run()
