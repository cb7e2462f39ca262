"""Write one table of the results that `gad-lightning predict --output` wrote unit by unit."""

from __future__ import annotations

from pathlib import Path

from gad_lightning.atomic import make_folder
from gad_lightning.errors import SettingError
from gad_lightning.escape import print_safely
from gad_lightning.jobs.place import RemotePlace, place_of
from gad_lightning.scale.run import join_results


def main(results: str, output: Path | None = None) -> None:
    """Write ``frames.csv`` and ``segments.csv``, as ``predict`` without ``--output`` does, with flat memory.

    Args:
        results: folder, or address of an object store, that ``--output`` named.
        output: folder of the tables; that of the results if null.

    Raises:
        MissingDataError: if there are no results.
        SettingError: if results are in an object store and no output is given.
    """
    place = place_of(results)
    if output is None and isinstance(place, RemotePlace):
        raise SettingError(f"{place} is no folder, and the tables need one.", "add --output=FOLDER")
    folder = make_folder(output or place.folder)
    count = join_results(place, folder)
    print_safely(f"frames.csv and segments.csv of {count} units are in {folder}")
