"""The page of a search: well formed, harmless, and as a browser likes it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from gad_lightning.search.asking import Answer, Moment
from gad_lightning.search.page import page_of
from tests.report.making import NASTY_VIDEO, SCRIPT, Checker
from tests.retrieval.making import facts
from tests.video.clips import write_clip


def answers(steps: int, video: str = NASTY_VIDEO) -> list[Answer]:
    """Three answers of so many moments with names that would do harm if they could."""
    moments = tuple(Moment(video, float(step), step + 0.4, SCRIPT, 0.5, 0.75) for step in range(steps))
    return [Answer(0.75, moments)] * 3


@pytest.mark.parametrize("steps", [1, 3])
def test_it_is_well_formed_and_what_users_name_is_only_text(steps: int) -> None:
    text = page_of(f"{SCRIPT} & \x00", answers(steps), facts(), None)
    checked = Checker(text)
    assert not checked.wrong
    assert "script" not in checked.tags
    for name in (SCRIPT, NASTY_VIDEO, "0:00.0 to 0:00.4", "3. score 0.750"):
        assert name in checked.said
    assert "\x00" not in text
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text


def test_pictures_are_part_of_the_page(tmp_path: Path) -> None:
    write_clip(tmp_path / "tea.mp4", [step / 10 for step in range(20)])
    text = page_of("stir", answers(1, "tea"), facts(), tmp_path)
    sources = re.findall(r'src="([^"]{0,30})', text)
    assert len(sources) == 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert re.search(r'alt="[^"]*document.title', text), "a name is within its attribute"
    assert "<img" not in page_of("stir", answers(1, "coffee"), facts(), tmp_path)


def test_no_answer_is_said() -> None:
    assert "Nothing found: no video of the index" in Checker(page_of("stir", [], facts(), None)).said


PROBE = """<script>window.addEventListener("load", () => document.body.setAttribute("data-probe", JSON.stringify({
  width: window.innerWidth, needed: document.documentElement.scrollWidth, title: document.title,
  shown: [...document.images].every((image) => image.naturalWidth > 0), pictures: document.images.length
})));</script>"""


@pytest.mark.slow  # starts a browser: some seconds
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_has_no_complaint(tmp_path: Path, width: int) -> None:
    write_clip(tmp_path / "tea.mp4", [step / 10 for step in range(20)])
    page = tmp_path / "search.html"
    page.write_text(page_of(SCRIPT, [*answers(1, "tea"), *answers(3, "tea")], facts(), tmp_path), encoding="utf-8")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    browser += [f"--window-size={width},900", "--dump-dom"]
    plain = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in plain.stderr
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', PROBE, page.read_text(encoding="utf-8"))
    page.write_text(opened, encoding="utf-8")
    done = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found is not None
    told = json.loads(unescape(found.group(1)))
    assert told["needed"] <= told["width"], told
    assert told["shown"]
    assert told["pictures"] == 12
    assert told["title"].startswith("Search: <script>")
