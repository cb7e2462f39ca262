"""Hushes, as it is imported, what no user can act on: for a process that imports the rest after it."""

from __future__ import annotations

from gad_lightning.cli.guards import quiet

quiet()
