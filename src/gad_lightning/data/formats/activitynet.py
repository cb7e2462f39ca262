"""ActivityNet's JSON, which THUMOS, FineAction and OpenTAD use too: a database of videos, or results of a detector."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading, video_name
from gad_lightning.data.formats.source import Source, mapping, number, objects, pair, text_of

_SPLITS = {"training": "train", "train": "train", "validation": "val", "val": "val", "testing": "test", "test": "test"}


class ActivityNet(AnnotationFormat):
    """Stretches in seconds; the subset of a video becomes its split."""

    name = "activitynet"
    title = "ActivityNet"
    ending = ".json"

    def recognizes(self, source: Source) -> bool:
        """By its ``database`` or its ``results``."""
        found = mapping(source.json)
        return isinstance(found.get("database"), dict) or isinstance(found.get("results"), dict)

    def read(self, source: Source, reading: Reading) -> None:
        """Take the annotations of the database, or what a detector found."""
        database = mapping(mapping(source.json).get("database"))
        for name, about in database.items():
            said = text_of(mapping(about).get("subset"))
            if said.lower() in _SPLITS:
                reading.splits[video_name(name)] = _SPLITS[said.lower()]
            elif said:
                reading.say(f"the subset {said!r} is no split, and its videos are for training")
            self._read_video(name, mapping(about).get("annotations"), reading)
        for name, found in mapping(mapping(source.json).get("results")).items() if not database else ():
            self._read_video(name, found, reading)

    def _read_video(self, name: str, annotations: object, reading: Reading) -> None:
        """Take the stretches of one video."""
        for place, one in enumerate(objects(annotations), 1):
            score = number(one.get("score"))
            where = f"{name}, annotation {place}"
            reading.add(name, *pair(one.get("segment")), one.get("label"), where, score if score == score else None)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """A database, or results where a classifier made the stretches."""
        rows = {
            video.name: [
                {"segment": [found.start, found.end], "label": found.label}
                | ({} if found.score is None else {"score": found.score})
                for found in video.annotations
            ]
            for video in videos
        }
        whole: dict[str, object] = {"version": "gad-lightning"}
        if any(video.scored for video in videos):
            whole |= {"results": rows, "external_data": {}}
        else:
            whole["database"] = {
                video.name: {"duration": video.length, "fps": video.fps, "annotations": rows[video.name]}
                for video in videos
            }
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


FORMAT = ActivityNet()
