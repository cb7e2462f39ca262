"""Folders of official data for the tests: the real annotations under their official names, or a few made lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER_OF = {
    "thumos14": "thumos14",
    "crosstask": "crosstask",
    "epic": "epic-kitchens-100",
    "goalstep": "ego4d-goalstep",
    "coin": "coin",
}
INFO_OF = {"goalstep": ("gad_goalstep_ego4d-goal_info.json.gz", "ego4d-goal_info.json.gz")}


def real_root(shared: Path, tmp_path: Path, name: str, info: bool = True, without: str = "") -> Path:
    """Lay the real annotations of a data set out as its data module expects them, as links."""
    root = tmp_path / name
    root.mkdir()
    annotations = shared / "data" / "annotations"
    for path in (annotations / FOLDER_OF[name]).iterdir():
        if not without or without not in path.name:
            (root / path.name).symlink_to(path)
    if info and name != "coin":
        stored, official = INFO_OF.get(name, ("gad_data_info.json.gz", "data_info.json.gz"))
        (root / official).symlink_to(annotations / "class_lists" / stored)
    return root


def write_features(folder: Path, lengths: dict[str, int], width: int = 3) -> None:
    """Write ``<video>.npy`` of the given lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, length in lengths.items():
        np.save(folder / f"{name}.npy", np.zeros((length, width), dtype=np.float32))


def write_lines(path: Path, *lines: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
