"""The answers of a search as one page that fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

from gad_lightning.report.markup import number, tag, written
from gad_lightning.report.style import STYLE
from gad_lightning.retrieval.moment_index import IndexFacts
from gad_lightning.search.asking import Answer, Moment
from gad_lightning.search.pictures import picture_at
from gad_lightning.video.encoding.video_files import video_of

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
"""What a browser may do on the page: show its style and the pictures within it."""
MADE_BY = '<meta name="generator" content="gad-lightning search">'
"""In the head of every page."""
NOTHING = "Nothing found: no video of the index shows what was asked for, steps of an order one after the other."
OWN_STYLE = """
ol.answers{list-style:none;padding:0;margin:1rem 0;display:grid;gap:16px;
grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr))}
ol.answers.chains{grid-template-columns:1fr}
li.answer{border:1px solid var(--edge);border-radius:8px;background:var(--box);padding:.7rem;min-width:0}
.steps{display:flex;flex-wrap:wrap;gap:12px}
.moment{margin:0;flex:1 1 190px;max-width:280px;min-width:0}
.moment img,.moment .blank{display:block;width:100%;aspect-ratio:4/3;object-fit:cover;
border-radius:5px;background:var(--rest)}
.moment figcaption{overflow-wrap:anywhere;margin-top:.35rem}
.moment b{display:block;color:var(--ink)}
.rank{font-size:.85rem;color:var(--soft);margin:0 0 .4rem}
"""


def page_of(question: str, answers: Sequence[Answer], facts: IndexFacts, videos: Path | None) -> str:
    """Write the page.

    Args:
        question: as it was asked.
        answers: best first.
        facts: of the index.
        videos: folder of the video files; None leaves pictures out.
    """
    is_chain = any(len(answer.moments) > 1 for answer in answers)
    items = [_answer(rank, answer, videos) for rank, answer in enumerate(answers, 1)]
    said = (
        f"{len(answers)} answers from {len(facts.videos):,} videos, by {facts.classifier} ({facts.space}). "
        "In bold, what it takes a moment for."
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content="gad-lightning search"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"Search: {question}"),
        tag("style", STYLE + OWN_STYLE),
    )
    body = tag(
        "body",
        tag("header", tag("h1", question), tag("p", said, class_="note")),
        tag(
            "main",
            tag("ol", *items, class_="answers chains" if is_chain else "answers") if items else tag("p", NOTHING),
            tag("footer", "Made by gad-lightning search. This file holds everything it shows and fetches nothing."),
        ),
    )
    return "<!doctype html>\n" + written(tag("html", head, body, lang="en")) + "\n"


def _answer(rank: int, answer: Answer, videos: Path | None) -> Element:
    """One answer: its place, and its moments beside one another."""
    shown = [_figure(moment, videos) for moment in answer.moments]
    return tag(
        "li",
        tag("p", f"{rank}. score {number(answer.score)}", class_="rank"),
        tag("div", *shown, class_="steps"),
        class_="answer",
    )


def _figure(moment: Moment, videos: Path | None) -> Element:
    """A picture from the middle of a moment, and what it is."""
    file = None if videos is None else video_of(videos, moment.video)
    source = None if file is None else picture_at(file, (moment.start + moment.end) / 2)
    times = f"{clock(moment.start)} to {clock(moment.end)}"
    picture = tag("div", class_="blank") if source is None else tag("img", src=source, alt=f"{moment.label}, {times}")
    caption = tag("figcaption", tag("b", moment.label), f"{moment.video}, {times}")
    return tag("figure", picture, caption, class_="moment")


def clock(seconds: float) -> str:
    """A time as players show it.

    Example:
        >>> clock(12.5), clock(3723.04)
        ('0:12.5', '1:02:03.0')
    """
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"
