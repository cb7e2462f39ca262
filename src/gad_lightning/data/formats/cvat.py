"""CVAT: tracks of its video XML, and tags of its image XML, as ranges of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from gad_lightning.data.formats.base import AnnotationFormat, LabeledVideo, Reading
from gad_lightning.data.formats.source import Source, number


class Cvat(AnnotationFormat):
    """From a shape's first frame, counted from 0, up to the frame where it is outside, or its last one."""

    name = "cvat"
    title = "CVAT"
    ending = ".cvat.xml"
    one_video = True
    sharpness = "frame"

    def recognizes(self, source: Source) -> bool:
        """By the name of the root and what it holds."""
        root = source.xml
        return root is not None and root.tag == "annotations" and root.find("version") is not None

    def read(self, source: Source, reading: Reading) -> None:
        """Take tracks and tags; the frame rate is not in the file."""
        root = source.xml if source.xml is not None else ElementTree.Element("none")
        media = next((found.text or "" for found in root.iter("source")), "")
        stated = number(next((found.text for found in root.iter("fps")), None))
        found = [*_tracks(root), *_tags(root)]
        rate = reading.rate(media, stated) if found else 1.0
        for first, end, label, where in found:
            reading.add(media, first / rate, end / rate, label, where)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """Tracks with a small box in the corner, which CVAT needs; the frame rate stands in ``meta``."""
        (video,) = videos
        root = ElementTree.Element("annotations")
        ElementTree.SubElement(root, "version").text = "1.1"
        meta = ElementTree.SubElement(root, "meta")
        ElementTree.SubElement(meta, "source").text = video.media or video.name
        ElementTree.SubElement(meta, "fps").text = repr(video.fps)
        for place, found in enumerate(video.annotations):
            first = round(found.start * video.fps)
            end = max(first + 1, round(found.end * video.fps))
            track = ElementTree.SubElement(root, "track", id=str(place), label=found.label, source="manual")
            for frame, outside in ((first, "0"), (end, "1")):
                box = {"frame": str(frame), "outside": outside, "occluded": "0", "keyframe": "1", "z_order": "0"}
                ElementTree.SubElement(track, "box", box, xtl="0.00", ytl="0.00", xbr="16.00", ybr="16.00")
        ElementTree.indent(root)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


FORMAT = Cvat()

Range = tuple[float, float, str, str]


def _tracks(root: ElementTree.Element) -> Iterator[Range]:
    """First frame, frame after the last one, label and place of every time a track is seen."""
    for track in root.iter("track"):
        where, begun, last = f"track {track.get('id', '?')}", None, 0.0
        shapes = (one for one in track if one.get("frame") is not None)
        for shape in sorted(shapes, key=lambda one: number(one.get("frame"))):
            frame = number(shape.get("frame"))
            if shape.get("outside") == "1":
                if begun is not None:
                    yield begun, frame, track.get("label", ""), where
                begun = None
            else:
                begun, last = frame if begun is None else begun, frame
        if begun is not None:
            yield begun, last + 1, track.get("label", ""), where


def _tags(root: ElementTree.Element) -> Iterator[Range]:
    """The same of tags of pictures, of which those that follow each other are one range."""
    runs: dict[str, list[float]] = {}
    for image in root.iter("image"):
        frame = number(image.get("id"))
        for tag in image.iter("tag"):
            label = tag.get("label", "")
            if label in runs and runs[label][1] == frame:
                runs[label][1] = frame + 1
                continue
            if label in runs:
                yield runs[label][0], runs[label][1], label, f"image {runs[label][0]:g}"
            runs[label] = [frame, frame + 1]
    for label, (first, end) in runs.items():
        yield first, end, label, f"image {first:g}"
