"""Joins folds of one data set: what any of them tests on is for test, all else for training and validation.

    python experiments/structure/prepare.py runs/ikea_asm/0 runs/ikea_asm/1 --target runs/structure/ikea

Each folder is one that ``prepare.py`` of ``experiments/ikea_asm`` or ``experiments/jigsaws`` wrote, with ``--fold``.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from gad_lightning.atomic import make_folder
from gad_lightning.csv_rows import write_rows
from gad_lightning.data.tables import read_videos


def join(folds: Sequence[Path], target: Path) -> int:
    """Write the joined folder; return the number of its test videos."""
    videos = read_videos(folds[0] / "videos.csv")
    tested = {name for fold in folds for name, row in read_videos(fold / "videos.csv").items() if row.split == "test"}
    make_folder(target)
    shutil.copytree(folds[0] / "features", target / "features", dirs_exist_ok=True)
    shutil.copy(folds[0] / "segments.csv", target / "segments.csv")
    rows = [
        (name, "test" if name in tested else "train", row.goal or "", row.group or "") for name, row in videos.items()
    ]
    write_rows(target / "videos.csv", ("video", "split", "goal", "group"), rows)
    return len(tested)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folds", nargs="+", type=Path, help="prepared folders of several folds")
    parser.add_argument("--target", type=Path, required=True, help="folder to write")
    given = parser.parse_args()
    print(f"{join(given.folds, given.target)} test videos in {given.target}")
