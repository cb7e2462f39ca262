"""Take annotations of other tools into a folder of your own data."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from gad_lightning.atomic import make_folder
from gad_lightning.csv_rows import write_rows
from gad_lightning.data.feature_store import FeatureStore
from gad_lightning.data.formats.base import Rules, warnings_of
from gad_lightning.data.formats.registry import Found, check_free, read_annotations
from gad_lightning.errors import SettingError
from gad_lightning.escape import escape_terminal, print_safely

WIDTH = 110
SHOWN = 6
"""Names that are listed; the others are counted."""


def main(
    paths: list[str],
    fps: float | None = None,
    point_seconds: float = 0.0,
    tiers: list[str] | None = None,
    labels: list[str] | None = None,
    modifiers: bool = False,
    format: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write ``segments.csv`` of annotation files: ``gad-lightning import *.eaf my_data``.

    Says what was taken, merged and left out, and why. Formats: Label Studio, BORIS, ELAN, ActivityNet, WebVTT, SubRip,
    per-frame CSV, VIA, CVAT, FiftyOne, and tables with video, start, end and label. ``videos.csv`` is written too where
    the files state splits.

    Args:
        paths: annotation files, and last the folder of your data; patterns such as ``*.eaf`` are taken too.
        fps: frames a second, of files that count frames; for Label Studio the frameRate of its labeling config.
        point_seconds: length that events without one get; 0 leaves them out.
        tiers: of ELAN, or controls of Label Studio, to take; all by default.
        labels: to take, such as ``["add salt","stir"]``; all by default.
        modifiers: put the modifiers of BORIS behind the label, in brackets.
        format: of the files, such as ``elan``; found by their content by default.
        overwrite: replace a ``segments.csv`` and ``videos.csv`` that are there.

    Raises:
        SettingError: if the folder is missing, a number cannot be, or a file is there already.
    """
    if len(paths) < 2 or Path(paths[-1]).is_file():
        raise SettingError(
            f"There is no folder to import into: the last of {len(paths)} paths is {paths[-1] if paths else 'none'}.",
            "name the annotation files first and the folder of your data last: gad-lightning import a.eaf my_data",
        )
    if point_seconds < 0 or (fps is not None and not fps > 0):
        raise SettingError(
            f"fps is {fps} and point_seconds {point_seconds:g}.", "take numbers above 0, or leave them out"
        )
    store = FeatureStore(root := Path(paths[-1]), None, None)
    rules = Rules(fps, point_seconds, tuple(tiers or ()), tuple(labels or ()), modifiers, store.videos)
    found = read_annotations(paths[:-1], Path(), rules, format)
    for name in ("segments.csv", "videos.csv") if found.splits else ("segments.csv",):
        check_free(root / name, overwrite)
    make_folder(root)
    rows = [(one.video, round(one.start, 6), round(one.end, 6), one.label) for one in found.annotations]
    write_rows(root / "segments.csv", ("video", "start", "end", "label"), rows)
    if found.splits:
        write_rows(root / "videos.csv", ("video", "split"), sorted(found.splits.items()))
    _tell(found, root, store)


def _tell(found: Found, root: Path, store: FeatureStore) -> None:
    """Say what was taken, left out and why, and what is next."""
    width = max(WIDTH, shutil.get_terminal_size().columns)
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True, width=width)
    table = Table("file", "format", *(Column(name, justify="right") for name in ("taken", "left out")), box=None)
    for file in found.files:
        left_out = sum(map(len, file.reading.left_out.values()))
        cells = (file.reading.path.name, file.format.title, str(len(file.reading.annotations)), str(left_out))
        table.add_row(*map(escape_terminal, cells))
    console.print(table)
    for line in (*found.told, *warnings_of(found.annotations)):
        print_safely(f"note: {line}")
    if found.merged:
        print_safely(f"note: {found.merged} stretches overlapped or repeated another one of their label: merged.")
    videos = sorted({one.video for one in found.annotations})
    missing = [name for name in videos if name not in store.names]
    if missing:
        some = ", ".join(missing[:SHOWN]) + ", ..." * (len(missing) > SHOWN)
        print_safely(f"note: {len(missing)} of {len(videos)} videos are not in {store.videos} yet: {some}")
    classes = len({one.label for one in found.annotations})
    print_safely(f"{root / 'segments.csv'}: {len(found.annotations)} segments, {classes} labels, {len(videos)} videos")
    print_safely(f"next: gad-lightning start {root}")
