"""Which training videos are held out for validation: whole groups, chosen by a stable hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gad_lightning.data.records import VideoRecord
from gad_lightning.errors import SettingError


def hold_out(records: Sequence[VideoRecord], share: float) -> list[str]:
    """Choose groups for validation: in the order of a hash of their names, until they have ``share`` of the videos.

    The choice depends on the names alone, not on a seed, an order or the machine, so runs with different seeds are
    validated on the same videos.

    Args:
        records: training videos.
        share: of the videos, in [0, 1); 0 holds none out, otherwise at least one group is held out and one stays.

    Returns:
        Names of the groups, sorted.

    Raises:
        SettingError: if there is only one group.
    """
    sizes: dict[str, int] = {}
    for record in records:
        sizes[group_of(record)] = sizes.get(group_of(record), 0) + 1
    if share == 0:
        return []
    if len(sizes) < 2:
        raise SettingError(
            f"All {len(records)} training videos belong to one group, {next(iter(sizes), '')!r}, so none can be held "
            "out for validation.",
            "give a val split or more groups in videos.csv, or set data.val_fraction to 0",
        )
    held: list[str] = []
    for group in sorted(sizes, key=_hash)[:-1]:
        if sum(sizes[name] for name in held) >= share * len(records):
            break
        held.append(group)
    return sorted(held)


def group_of(record: VideoRecord) -> str:
    """The group of a video: its own name if it has none."""
    return record.name if record.group is None else record.group


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
