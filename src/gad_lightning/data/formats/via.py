"""VIA, the VGG annotator, version 3: stretches of its video projects, in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, items, mapping, number, text_of


class Via(AnnotationFormat):
    """Metadata with two times; marks in single pictures are instants."""

    name = "via"
    title = "VIA"
    ending = ".via.json"

    def recognizes(self, source: Source) -> bool:
        """By its metadata, files and views."""
        return {"metadata", "file", "view"} <= set(mapping(source.json))

    def read(self, source: Source, reading: Reading) -> None:
        """Take what has times, its label the first attribute with a value."""
        project = mapping(source.json)
        attributes, files = mapping(project.get("attribute")), mapping(project.get("file"))
        for key, value in mapping(project.get("metadata")).items():
            one = mapping(value)
            view = mapping(mapping(project.get("view")).get(text_of(one.get("vid"))))
            ids = [text_of(found) for found in items(view.get("fid_list"))]
            media = text_of(mapping(files.get(ids[0] if ids else "")).get("fname"))
            times = [number(time) for time in items(one.get("z"))]
            if not times:
                reading.leave_out("metadata without times", key)
                continue
            given = ((text_of(name), text_of(found)) for name, found in mapping(one.get("av")).items())
            name, found = next(((name, found) for name, found in given if found), ("", ""))
            options = mapping(mapping(attributes.get(name)).get("options"))
            reading.add(media, times[0], times[-1], text_of(options.get(found)) or found, key)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """A project with one attribute, ``label``."""
        names = sorted({found.label for video in videos for found in video.annotations})
        numbers = {label: str(place) for place, label in enumerate(names)}
        ids = {video.name: str(place) for place, video in enumerate(videos, 1)}
        whole = {
            "project": {"pid": "__VIA_PROJECT_ID__", "pname": "gad-lightning", "data_format_version": "3.1.1"},
            "config": {},
            "attribute": {
                "1": {
                    "aname": "label",
                    "anchor_id": "FILE1_Z2_XY0",
                    "type": 4,
                    "desc": "",
                    "options": {place: label for label, place in numbers.items()},
                    "default_option_id": "",
                }
            },
            "file": {
                ids[video.name]: {
                    "fid": ids[video.name],
                    "fname": video.media or video.name,
                    "type": 4,
                    "loc": 1,
                    "src": video.media or video.name,
                }
                for video in videos
            },
            "view": {ids[video.name]: {"fid_list": [ids[video.name]]} for video in videos},
            "metadata": {
                f"{ids[video.name]}_{place}": {
                    "vid": ids[video.name],
                    "flg": 0,
                    "z": [found.start, found.end],
                    "xy": [],
                    "av": {"1": numbers[found.label]},
                }
                for video in videos
                for place, found in enumerate(video.annotations)
            },
        }
        return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


FORMAT = Via()
