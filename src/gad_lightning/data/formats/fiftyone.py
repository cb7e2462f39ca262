"""FiftyOne: temporal detections, of its own temporal detection data sets or of samples exported as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, items, mapping, number, objects, pair, text_of


class FiftyOne(AnnotationFormat):
    """Temporal detections in seconds, or in frames from 1 whose last one belongs to them."""

    name = "fiftyone"
    title = "FiftyOne"
    ending = ".fiftyone.json"

    def recognizes(self, source: Source) -> bool:
        """By its classes and labels, or by its samples."""
        found = mapping(source.json)
        return (isinstance(found.get("labels"), dict) and "classes" in found) or isinstance(found.get("samples"), list)

    def read(self, source: Source, reading: Reading) -> None:
        """Take the detections of every video."""
        found = mapping(source.json)
        for name, detections in mapping(found.get("labels")).items():
            for one in objects(detections):
                self._read_one(one, name, math.nan, items(found.get("classes")), reading)
        for sample in objects(found.get("samples")):
            rate = number(mapping(sample.get("metadata")).get("frame_rate"))
            for field in map(mapping, sample.values()):
                for one in objects(field.get("detections")):
                    if "support" in one:
                        self._read_one(one, text_of(sample.get("filepath")), rate, [], reading)

    def _read_one(
        self, one: Mapping[str, object], media: str, stated: float, classes: Sequence[object], reading: Reading
    ) -> None:
        """Take one detection."""
        label = one.get("label")
        if isinstance(label, int) and 0 <= label < len(classes):
            label = classes[label]
        score = number(one.get("confidence"))
        start, end = pair(one.get("timestamps"))
        if "timestamps" not in one:
            rate, (first, last) = reading.rate(media, stated), pair(one.get("support"))
            reading.say("frames begin at 1, and the last one of a support belongs to it")
            start, end = (first - 1) / rate, last / rate
        reading.add(media, start, end, label, media, score if score == score else None)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """``labels.json`` of a temporal detection data set, in seconds."""
        classes = sorted({found.label for video in videos for found in video.annotations})
        labels = {
            video.name: [
                {"label": classes.index(found.label), "timestamps": [found.start, found.end]}
                | ({} if found.score is None else {"confidence": found.score})
                for found in video.annotations
            ]
            for video in videos
        }
        return json.dumps({"classes": classes, "labels": labels}, indent=1, ensure_ascii=False) + "\n"


FORMAT = FiftyOne()
