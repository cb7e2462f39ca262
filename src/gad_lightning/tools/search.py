"""Search an index for moments: by a text, by a moment like it, or by steps in an order."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.escape import escape_terminal, print_safely
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.retrieval.moment_index import MomentIndex, Unit
from gad_lightning.search.asking import Answer, by_order, by_row, by_text, needs_classifier, row_of_moment
from gad_lightning.search.embedding import embedder_of, fingerprint_of
from gad_lightning.search.page import MADE_BY, NOTHING, clock, page_of

HEAD = 2000
"""Characters at the beginning of a page that say what made it."""


def main(
    index: list[str],
    like: str | None = None,
    order: str | None = None,
    count: int = 10,
    unit: Unit = "segment",
    format: Literal["table", "json", "page"] = "table",
    output: Path = Path("search.html"),
    videos: Path | None = None,
    checkpoint: str | None = None,
    allowed: list[str] | None = None,
) -> None:
    """Find moments, best first.

    Args:
        index: folder of ``gad-lightning index``, and after it the text that is searched for, if it is one.
        like: a moment of a video, such as ``video.mp4@12.5`` (seconds).
        order: steps with commas between them, such as "cut tomato, add salt, stir"; quotes around a step keep its own.
        count: answers, at most.
        unit: whether segments are found, or single seconds.
        format: a table, JSON, or a page with pictures.
        output: the page.
        videos: folder of the video files, for pictures on the page.
        checkpoint: the classifier of the index; by default where it was. Refused if it is another one.
        allowed: further packages whose classes the checkpoint may name.

    Raises:
        SettingError: if nothing or several things are asked, or the index is of another checkpoint.
    """
    folder, text = Path(index[0]), " ".join(index[1:]) or None
    asked = [given for given in (text, like, order) if given is not None]
    if len(asked) != 1:
        raise SettingError(
            f"{len(asked)} questions were asked.",
            'give a text after the index, or --like=video.mp4@12.5, or --order="a, b"',
        )
    if order is not None and unit != "segment":
        raise SettingError(f"--unit={unit} does not go with --order, whose steps are segments.", "leave --unit out")
    if count < 1:
        raise SettingError(f"count must be at least 1, got {count}.", "10 is usual")
    opened = MomentIndex(folder)
    answers = _answers(opened, text, like, order, count, unit, checkpoint, [*ALLOWED_PACKAGES, *(allowed or [])])
    if format == "json":
        told = [answer._asdict() | {"moments": [moment._asdict() for moment in answer.moments]} for answer in answers]
        print_safely(json.dumps(told, indent=1))
    elif format == "page":
        _write_page(output, page_of(asked[0], answers, opened.facts, videos))
    else:
        print_safely("\n".join(_lines(answers)) or NOTHING)


def _answers(
    index: MomentIndex,
    text: str | None,
    like: str | None,
    order: str | None,
    count: int,
    unit: Unit,
    checkpoint: str | None,
    packages: Sequence[str],
) -> list[Answer]:
    """Ask, with the classifier of the index where it is needed."""
    place = None if like is None else _place(like)
    classifier, embedder = None, None
    if place is not None or checkpoint is not None or needs_classifier(index):
        classifier = Classifier.from_pretrained(checkpoint or _own_checkpoint(index), allowed=packages).eval()
        index = MomentIndex(index.folder, fingerprint_of(classifier))
        embedder = embedder_of(classifier)
    if place is not None and classifier is not None and embedder is not None:
        return by_row(index, row_of_moment(classifier, embedder, *place), count, unit)
    if order is not None:
        return by_order(index, _steps(order), embedder, count)
    return by_text(index, text or "", embedder, count, unit)


def _steps(order: str) -> list[str]:
    """Steps between commas, but for those inside quotes."""
    return [step.strip() for row in csv.reader([order], skipinitialspace=True) for step in row if step.strip()]


def _own_checkpoint(index: MomentIndex) -> str:
    """The file that the index says it was made with; an address that it names is not asked.

    Raises:
        MissingDataError: if no such file is there.
    """
    named = index.facts.checkpoint
    if not Path(named).is_file():
        raise MissingDataError(
            f"The question needs the classifier of {index.folder}, and there is no file {named}.",
            "give --checkpoint, the one that it was made with",
        )
    return named


def _place(like: str) -> tuple[Path, float]:
    """File and second of ``video.mp4@12.5``.

    Raises:
        SettingError: if it is written otherwise.
    """
    name, _, second = like.rpartition("@")
    try:
        seconds = float(second)
    except ValueError:
        seconds = math.nan
    if not name or not 0 <= seconds < math.inf:
        raise SettingError(f"--like={like} names no moment.", "write file@seconds, such as --like=video.mp4@12.5")
    return Path(name), seconds


def _lines(answers: Sequence[Answer]) -> list[str]:
    """A line a moment; steps of one answer share a number."""
    lines = []
    for rank, answer in enumerate(answers, 1):
        for moment in answer.moments:
            times = f"{clock(moment.start)}-{clock(moment.end)}"
            name, video = escape_terminal(moment.label), escape_terminal(moment.video)
            lines.append(f"{rank:>3}  {answer.score:6.3f}  {times:>17}  {name}  {video}")
    return lines


def _write_page(output: Path, text: str) -> None:
    """Write the page, but over no page of another make.

    Raises:
        SettingError: if a file is there that is no page of this command.
    """
    if output.is_file():
        with output.open(encoding="utf-8", errors="replace") as file:
            if MADE_BY not in file.read(HEAD):
                raise SettingError(
                    f"{output} is there and was not made by gad-lightning search.", "choose another --output"
                )
    make_folder(output.parent)
    with atomic_write(output) as part:
        part.write_text(text, encoding="utf-8")
    print_safely(f"{output} shows the answers")
