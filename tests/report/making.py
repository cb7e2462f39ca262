"""Runs as they lie on the disk, with names that would do harm if they could, and a check of pages."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

SCRIPT = "<script>document.title='pwned'</script>"
NASTY = ("background", SCRIPT, "a \"quoted\" & 'odd' <b>label</b>", "\x00nul and </style>")
NASTY_VIDEO = "</script><img src=x onerror=\"document.title='pwned'\">"
VOID = {"meta", "br", "img", "link", "input", "hr"}
CONFIG = """model: {class_path: gad_lightning.GADClassifier, note: "<script>document.title='pwned'</script>"}
data: {class_path: X, source: "rtsp://cook:secret@kitchen/1"}
"""


def write_run(
    folder: Path,
    said: Sequence[int],
    truth: Sequence[int | None],
    names: Sequence[str] = NASTY,
    video: str = NASTY_VIDEO,
    per_frame: bool = True,
) -> Path:
    """A run of one video whose predictions are there, at 2 frames a second."""
    (folder / "predictions").mkdir(parents=True)
    with (folder / "predictions/frames.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "task", "frame", "seconds", "label", "score", "truth"])
        for frame, (label, true) in enumerate(zip(said, truth, strict=True)):
            known = "" if true is None else names[true]
            writer.writerow([video, "action", frame, frame / 2, names[label], 0.5 + 0.04 * (frame % 10), known])
    task = {"name": "action", "names": list(names), "background": 0, "per_frame": per_frame}
    about = {"classifier": "GADClassifier", "fps": 2.0, "tasks": [task]}
    (folder / "predictions/about.json").write_text(json.dumps(about))
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "metrics.csv").write_text("epoch,step,train/loss,val/top1\n0,9,2.0,\n0,9,,0.25\n1,19,1.0,\n1,19,,0.5\n")
    return folder


class Checker(HTMLParser):
    """Notes elements that are not closed in order, attributes that act or fetch, and the text outside programs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)
        self.close()
        self.wrong += [f"never closed: {name}" for name in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "srcset", "action", "data", "xlink:href")):
                self.wrong.append(f"{tag} {name}={value}")
            if name == "href" and not (value or "").startswith("#part"):
                self.wrong.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"closed out of order: {tag}")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.said += data
