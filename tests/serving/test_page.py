"""The page of a server, as Chromium shows it with a camera of its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gad_lightning.serving.app import Server
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.video.encoders import SmallEncoder
from tests.serving.browser import Browser, browsing
from tests.serving.making import serving
from tests.streaming.colors import picture, train_colors
from tests.video.serving import write_scenes

PAGE = files("gad_lightning.serving") / "page"


def test_the_page_asks_no_network_and_puts_no_text_into_markup() -> None:
    texts = {name: (PAGE / name).read_text(encoding="utf-8") for name in ("index.html", "page.css", "page.js")}
    for text in texts.values():
        assert not re.search(r"https?://|@import|url\(", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", texts["page.js"])
    assert not re.search(r'<script>|<style>|\son\w+=|style="', texts["index.html"])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, whose camera shows red, then blue, and so on."""
    folder = tmp_path_factory.mktemp("browser")
    camera = folder / "camera.mjpeg"
    with camera.open("wb") as file:
        for name in ("red", "blue"):
            for _ in range(60):
                Image.fromarray(np.ascontiguousarray(picture(name))).save(file, "JPEG", quality=95)
    with browsing(folder / "profile", camera) as started:
        yield started


@pytest.mark.slow  # trains, and starts a browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_a_camera_and_a_file_are_labeled_side_by_side(browser: Browser, tmp_path: Path) -> None:
    detector = OnlineDetector(train_colors(), 3, encoder=SmallEncoder())
    write_scenes(tmp_path / "tea.webm", [("red", 2.0), ("blue", 2.0)], codec="libvpx")
    token = "a-token-of-the-tests"
    with serving(Server(detector, token=token)) as address:
        browser.ask("Emulation.setDeviceMetricsOverride", width=400, height=900, deviceScaleFactor=1, mobile=True)
        browser.ask("Page.navigate", url=f"http://{address}/")
        browser.wait("document.activeElement.id === 'token'")
        browser.run(f"document.getElementById('token').value = '{token}'")
        browser.run("document.querySelector('#login button').click()")
        browser.wait("!document.getElementById('controls').hidden")
        browser.run("document.activeElement.blur()")
        browser.key("c")
        labels = "[...new Set([...streams][0].spans.map((span) => span[2]))]"
        browser.wait(f"streams.size === 1 && {labels}.includes('red') && {labels}.includes('blue')")
        browser.key("c")
        browser.wait("streams.size === 2 && [...streams].every((stream) => stream.spans.length)")
        node = browser.ask("DOM.getDocument")["root"]["nodeId"]
        found = browser.ask("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        browser.ask("DOM.setFileInputFiles", nodeId=found, files=[str(tmp_path / "tea.webm")])
        browser.wait("[...document.querySelectorAll('.close')].some((button) => button.textContent === 'Remove')")
        shown = browser.run("[...document.querySelectorAll('.card')].at(-1).querySelector('.timeline').ariaLabel")
        assert "red from" in shown
        assert "blue from" in shown
        browser.run("document.getElementById('load').open = true")
        browser.wait("document.getElementById('figures').innerText.includes('2 of 3')")
        assert browser.run("document.documentElement.scrollWidth") <= 400
        browser.shoot(tmp_path / "phone.png")
        browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 26)"
        browser.shoot(tmp_path / "dark.png")
        # a connection that is lost is made again, with the same stream
        browser.run("window.one = [...streams][0]; one.was = one.resume; one.socket.close(); one.seen = one.after")
        browser.wait("one.ready && one.after > one.seen + 2")
        assert browser.run("one.was === one.resume && one.dropped") in (0, False) or browser.run(
            "one.was === one.resume"
        )
        browser.run("one.card.focus()")
        browser.key("x")
        browser.wait("streams.size === 1 && !document.contains(one.card)")
        # the page asks without a token whether it takes one, and the browser logs the refusal
        others = [told for told in browser.complaints if not ("401" in told and "/classes" in told)]
        assert not others, others
