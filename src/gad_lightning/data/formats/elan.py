"""ELAN: the aligned annotations of the tiers of an .eaf file, in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from gad_lightning.data.formats.base import Annotation, AnnotationFormat, LabeledVideo, Reading, video_name
from gad_lightning.data.formats.source import Source, number
from gad_lightning.video.encoding.video_files import VIDEO_ENDINGS

_DOCUMENT = {
    "AUTHOR": "gad-lightning",
    "DATE": "2000-01-01T00:00:00+00:00",
    "FORMAT": "3.0",
    "VERSION": "3.0",
    "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd",
}


class Elan(AnnotationFormat):
    """Annotation files of ELAN: each tier gives labels, and tiers may overlap."""

    name = "elan"
    title = "ELAN"
    ending = ".eaf"
    one_video = True
    sharpness = "millisecond"

    def recognizes(self, source: Source) -> bool:
        """By the name of the root."""
        return source.xml is not None and source.xml.tag == "ANNOTATION_DOCUMENT"

    def read(self, source: Source, reading: Reading) -> None:
        """Take what is aligned with time; annotations that refer to others have no times of their own."""
        root = source.xml if source.xml is not None else ElementTree.Element("none")
        media, origin = _media(root, reading)
        times = _times(root)
        for tier in root.iter("TIER"):
            name = tier.get("TIER_ID", "")
            if reading.rules.tiers and name not in reading.rules.tiers:
                reading.leave_out("a tier that --tiers does not name", name)
                continue
            for _ in tier.iter("REF_ANNOTATION"):
                reading.leave_out("an annotation without times of its own", f"tier {name}")
            for found in tier.iter("ALIGNABLE_ANNOTATION"):
                start, end = (times.get(found.get(f"TIME_SLOT_REF{which}", ""), math.nan) for which in "12")
                where = f"tier {name}, {found.get('ANNOTATION_ID', 'annotation')}"
                reading.add(media, start + origin, end + origin, found.findtext("ANNOTATION_VALUE") or "", where)

    def write(self, videos: Sequence[LabeledVideo]) -> str:
        """A document with one tier ``actions``, and more where annotations overlap, which a tier cannot hold."""
        (video,) = videos
        root = ElementTree.Element("ANNOTATION_DOCUMENT", _DOCUMENT)
        header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
        place = video.media or video.name
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=place, MIME_TYPE="video/mp4")
        order = ElementTree.SubElement(root, "TIME_ORDER")
        for level, tier in enumerate(_levels(video.annotations)):
            name = "actions" if level == 0 else f"actions {level + 1}"
            made = ElementTree.SubElement(root, "TIER", LINGUISTIC_TYPE_REF="default-lt", TIER_ID=name)
            for start, end, label in tier:
                _write_annotation(order, made, start, end, label)
        ElementTree.SubElement(
            root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="default-lt", TIME_ALIGNABLE="true"
        )
        ElementTree.indent(root)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


FORMAT = Elan()


def _media(root: ElementTree.Element, reading: Reading) -> tuple[str, float]:
    """The first video of a document, and the second of it at which the document's time begins."""
    every = list(root.iter("MEDIA_DESCRIPTOR"))
    places = [one.get("RELATIVE_MEDIA_URL") or one.get("MEDIA_URL") or "" for one in every]
    videos = [place for place in places if place.lower().endswith(tuple(VIDEO_ENDINGS))] or places
    if not videos:
        reading.say("the file names no video: it is taken for that of the video of its own name")
        return "", 0.0
    if len({video_name(place) for place in videos}) > 1:
        others = ", ".join(map(video_name, videos[1:]))
        reading.say(f"of several videos the first one, {video_name(videos[0])!r}, has the labels; not {others}")
    origin = number(every[places.index(videos[0])].get("TIME_ORIGIN", "0")) / 1000
    if origin:
        reading.say(f"the document's time begins {origin:g} s into the video")
    return videos[0], origin


def _times(root: ElementTree.Element) -> dict[str, float]:
    """Seconds of the time slots; those without a time lie evenly between their neighbors, as ELAN shows them."""
    unit = {"seconds": 1.0, "milliseconds": 1e-3}
    header = root.find("HEADER")
    scale = unit.get("milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds"), 1e-3)
    slots = [(one.get("TIME_SLOT_ID", ""), number(one.get("TIME_VALUE")) * scale) for one in root.iter("TIME_SLOT")]
    times: dict[str, float] = {}
    waiting: list[str] = []
    before = math.nan
    for name, seconds in slots:
        if not math.isfinite(seconds):
            waiting.append(name)
            continue
        step = (seconds - before) / (len(waiting) + 1)
        times |= {one: before + step * place for place, one in enumerate(waiting, 1)} | {name: seconds}
        waiting, before = [], seconds
    return times


def _levels(annotations: Sequence[Annotation]) -> list[list[tuple[int, int, str]]]:
    """Annotations in milliseconds, spread over as few tiers as keep them apart."""
    levels: list[list[tuple[int, int, str]]] = [[]]
    for found in sorted(annotations, key=lambda found: (found.start, found.end)):
        start = round(found.start * 1000)
        whole = (start, max(start + 1, round(found.end * 1000)), found.label)
        level = next((level for level in levels if not level or level[-1][1] <= start), None)
        if level is None:
            levels.append([whole])
        else:
            level.append(whole)
    return levels


def _write_annotation(order: ElementTree.Element, tier: ElementTree.Element, start: int, end: int, label: str) -> None:
    """Add an annotation and its two time slots."""
    slots = []
    for time in (start, end):
        slots.append(f"ts{len(order) + 1}")
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slots[-1], TIME_VALUE=str(time))
    around = ElementTree.SubElement(tier, "ANNOTATION")
    made = ElementTree.SubElement(
        around,
        "ALIGNABLE_ANNOTATION",
        ANNOTATION_ID=f"a{len(order) // 2}",
        TIME_SLOT_REF1=slots[0],
        TIME_SLOT_REF2=slots[1],
    )
    ElementTree.SubElement(made, "ANNOTATION_VALUE").text = label
