"""What was detected in a video, as JSON, as a table, and as subtitles."""

from __future__ import annotations

import csv
import io

from gad_lightning.classifiers.detection import Detection
from gad_lightning.escape import escape_csv
from gad_lightning.serving.messages import text_of


def as_json(found: Detection, names: tuple[str, ...]) -> str:
    """Labels and probabilities of every frame, and the segments."""
    segments = [segment._asdict() for segment in found.segments]
    probabilities = [[round(value, 5) for value in row] for row in found.probabilities.tolist()]
    return text_of(
        {
            "classes": names,
            "labels": found.labels,
            "seconds": found.seconds,
            "probabilities": probabilities,
            "segments": segments,
        }
    )


def as_csv(found: Detection) -> str:
    """A row a segment; no cell is computed by a spreadsheet."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("label", "start_seconds", "end_seconds", "score"))
    for segment in found.segments:
        times = (f"{segment.start_seconds:.3f}", f"{segment.end_seconds:.3f}", f"{segment.score:.4f}")
        rows.writerow((escape_csv(segment.label), *times))
    return text.getvalue()


def as_vtt(found: Detection) -> str:
    """A cue a segment, in time order.

    Source: W3C, WebVTT: The Web Video Text Tracks Format, section 4.
    """
    cues = []
    for segment in sorted(found.segments, key=lambda each: each.start_seconds):
        text = " ".join(segment.label.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_clock(segment.start_seconds)} --> {_clock(segment.end_seconds)}\n{text}\n")
    return "\n".join(["WEBVTT\n", *cues])


def _clock(seconds: float) -> str:
    """Hours, minutes, seconds and thousandths.

    Example:
        >>> _clock(3725.5)
        '01:02:05.500'
    """
    whole = round(seconds * 1000)
    return f"{whole // 3600000:02}:{whole // 60000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
