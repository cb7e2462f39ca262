"""Encodes videos unit by unit: shared by any number of jobs, packed where a file a video is too many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.jobs.place import RemotePlace, place_of
from gad_lightning.jobs.units import Units, VideoOutcome
from gad_lightning.video.encoders import Encoder
from gad_lightning.video.encoding.run import EncodingRun, Settings
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS, claim, find_videos
from gad_lightning.video.features.arrays_on_disk import open_array
from gad_lightning.video.features.packed import shard_name, write_shard
from gad_lightning.video.features.sidecar import SIDECAR


class UnitEncoder:
    """Encodes units of neighboring videos into ``<video>.npy`` each, or into one shard a unit.

    Args:
        videos: folder, list or video, or the address of a folder of an object store.
        output: folder of the features, or address of an object store.
        encoder: runs where it is.
        settings: rate, number type, batches, workers.
        unit: videos of a unit; batches do not go beyond it.
        pack: write shards.

    Raises:
        GadError: if there is no video, or the output holds other features.
    """

    def __init__(
        self, videos: Path | str, output: Path | str, encoder: Encoder, settings: Settings, unit: int, pack: bool
    ) -> None:
        self.encoder, self.settings, self.pack = encoder, settings, pack
        self.source = RemotePlace(str(videos)) if "://" in str(videos) else None
        self.found = find_videos(videos) if self.source is None else _listed(self.source)
        self.place = place_of(output)
        self.units = Units(self.place, list(self.found), unit)
        self.units.claim({"work": "features", "packed": pack})
        encoder.load()
        there = self.place.fetch(SIDECAR) is not None
        claim(self.place.folder, encoder, settings)
        if not there:
            self.place.publish(SIDECAR)

    def encode(self, only: Iterable[int] | None = None) -> None:
        """Encode units that nobody has done or works on, until there is none.

        Args:
            only: numbers to choose among; all if None.
        """
        for number in self.units.take_each(only):
            names = [self.units.names[video] for video in self.units.videos(number)]
            apart = self.pack or isinstance(self.place, RemotePlace)
            with tempfile.TemporaryDirectory() if apart else nullcontext(str(self.place.folder)) as folder:
                self._encode_unit(number, names, Path(folder))

    def _encode_unit(self, number: int, names: list[str], folder: Path) -> None:
        """Encode the videos of a unit into a folder, hand them on, and note what became of them."""
        for name in names:  # of a killed job: what it noted of them is lost, so they are made again
            (folder / f"{name}.npy").unlink(missing_ok=True)
        run = EncodingRun(folder, self.encoder, self.settings)
        paths = {name: self._here(self.found[name]) for name in names}
        run.encode(paths, progress=False)
        for path in paths.values() if self.source is not None else ():
            path.unlink(missing_ok=True)
        made = {name: folder / f"{name}.npy" for name in names if run.outcomes[name].state != "broken"}
        outcomes = [
            VideoOutcome(
                name,
                "done" if name in made else "broken",
                open_array(made[name]).shape[0] if name in made else 0,
                self._told(run.outcomes[name].problem),
            )
            for name in names
        ]
        if self.pack and made:
            write_shard(self.place.path(shard_name(number)), made)
            self.place.publish(shard_name(number))
        elif folder != self.place.folder:
            for path in made.values():
                path.rename(self.place.path(path.name))
                self.place.publish(path.name)
        self.units.finish(number, outcomes)

    def _told(self, problem: str | None) -> str | None:
        """What is wrong, without the folder that a video of a store was copied to."""
        return (
            problem
            if problem is None or self.source is None
            else problem.replace(str(self.source.folder), str(self.source))
        )

    def _here(self, video: Path) -> Path:
        """A video on a disk; what is gone from its store is not there, which the decoder tells."""
        if self.source is None:
            return video
        return self.source.fetch(str(video)) or self.source.folder / video

    def finish(self) -> list[VideoOutcome]:
        """Write ``manifest.csv`` if all units are done.

        Returns:
            The outcomes of broken videos, as far as units are done.

        Raises:
            DataError: if all videos are broken.
        """
        broken = self.units.write_manifest()
        if len(broken) == len(self.units.names):
            raise DataError(f"None of the {len(broken)} videos could be encoded.", f"see manifest.csv in {self.place}")
        return broken


def _listed(source: RemotePlace) -> dict[str, Path]:
    """Videos of a folder of an object store by name, as paths within it.

    Raises:
        MissingDataError: if there is none.
    """
    names = sorted(name for name in source.names("") if Path(name).suffix.lower() in VIDEO_ENDINGS)
    if not names:
        raise MissingDataError(f"There is no video in {source}.", "give the address of a folder of videos")
    twice = {Path(name).stem for name in names}
    if len(twice) < len(names):
        raise DataError(f"{source} has videos of one name with two endings.", "rename them")
    return {Path(name).stem: Path(name) for name in names}
