"""gad-lightning show: an mp4 with labels drawn in, a page that plays and is clicked, and what is refused."""

from __future__ import annotations

import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.errors import GadError
from gad_lightning.tools.report import main as report
from gad_lightning.video.decode import VideoFile
from tests.report.making import write_run
from tests.serving.browser import Browser, browsing
from tests.streaming.colors import save_colors
from tests.video.serving import COLORS, write_scenes

SCENES = [("background", 0.8), ("red", 1.2), ("blue", 0.6), ("background", 0.5)]
TRUTH = "video,start,end,label\nclip,0.8,2.0,red\nclip,2.0,2.6,pour <b>tea</b>\nother,0,1,red\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and a clip."""
    folder = tmp_path_factory.mktemp("show")
    save_colors(folder / "colors.ckpt")
    write_scenes(folder / "clip.mp4", SCENES)
    return folder


@pytest.fixture
def clip(made: Path, tmp_path: Path) -> Path:
    """The clip, in a folder of its own, with annotations beside it."""
    (tmp_path / "clip.mp4").write_bytes((made / "clip.mp4").read_bytes())
    (tmp_path / "truth.csv").write_text(TRUTH)
    return tmp_path / "clip.mp4"


def show(made: Path, *words: object) -> None:
    """Run the command."""
    main(["show", *map(str, words), f"--ckpt_path={made / 'colors.ckpt'}"])


def test_the_mp4_shows_what_detect_finds_at_the_times_of_the_video(
    made: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(made, clip)
    found = Classifier.from_pretrained(made / "colors.ckpt").detect(clip).segments
    assert f"{len(found)} segments in 3.1 s" in capsys.readouterr().out
    frames = list(VideoFile(clip.with_name("clip_shown.mp4")))
    assert [frame.seconds for frame in frames] == pytest.approx([frame.seconds for frame in VideoFile(clip)], abs=1e-4)
    chips = []
    for frame in frames:
        assert frame.picture[200, 240] == pytest.approx(COLORS[_scene(frame.seconds)], abs=8), "the picture itself"
        row = frame.picture[480 + 6 + 2 + 6, 40:80].astype(int)
        chips.append(bool((row.max(-1) - row.min(-1) > 90).any()))
    expected = [any(one.start_seconds <= frame.seconds < one.end_seconds for one in found) for frame in frames]
    assert chips == expected, "a label's color stands there as long as it is found"


def _scene(seconds: float) -> str:
    """The scene that is shown at a time."""
    ends = np.cumsum([length for _, length in SCENES])
    return SCENES[int(np.searchsorted(ends, seconds + 1e-6, side="right"))][0]


def test_a_page_holds_the_video_and_truth_with_labels_the_classifier_lacks(made: Path, clip: Path) -> None:
    folder = clip.parent / "page"
    show(made, clip, f"--page={folder}", f'--annotations=["{clip.with_name("truth.csv")}"]')
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "video.mp4"]
    assert (folder / "video.mp4").read_bytes() == clip.read_bytes()
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert 'data-label="pour <b>tea</b>"' in unescape(text)
    assert "<b>tea" not in text
    assert 'data-track="truth"' in text
    assert 'data-seconds="3.1"' in text
    assert not clip.with_name("clip_shown.mp4").exists()


@pytest.mark.slow  # encodes videos
def test_a_video_that_no_browser_plays_is_written_anew_for_the_page(made: Path, tmp_path: Path) -> None:
    video = write_scenes(tmp_path / "clip.avi", SCENES, codec="mpeg4")
    show(made, video, f"--page={tmp_path / 'page'}", f"--output={tmp_path / 'a.mp4'}")
    assert len(list(VideoFile(tmp_path / "page" / "video.mp4"))) == len(list(VideoFile(video)))
    assert (tmp_path / "a.mp4").is_file()


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("clip.mp4", ["--output=taken.mp4"], r"taken\.mp4 is there already"),
        ("clip.mp4", ["--output=a.avi"], r"a\.avi, which is no \.mp4"),
        ("clip.mp4", ["--output=clip.mp4", "--overwrite=true"], "the video .* itself"),
        ("clip.mp4", ["--page=taken"], r"index\.html is there already"),
        ("clip.mp4", ["--annotations=[other.csv]"], "nothing of clip, but of other"),
        ("clip.mp4", ["--min_score=2"], "min_score is a probability, and is 2"),
        ("clip.mp4", ["--font=truth.csv"], r"truth\.csv is no font"),
        ("clip.mp4", ["--task=who"], "There is no task 'who'"),
        ("none.mp4", [], "There is no video none"),
        ("a.npy", [], "holds features, and no pictures"),
        (".", [], "is a folder"),
        ("truth.csv", [], "cannot be opened as a video"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    name: str, words: list[str], message: str, made: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    Path("taken").mkdir()
    for path in ("taken.mp4", "taken/index.html", "a.npy"):
        Path(path).write_bytes(b"mine")
    Path("other.csv").write_text("video,start,end,label\nother,0,1,red\n")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(GadError, match=message):
        show(made, name, *words)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def _play_and_click(browser: Browser, page: Path, width: int, shot: Path) -> None:
    """Open a page, play its first video, and go to a time by a click and by keys."""
    browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    browser.ask("Page.navigate", url=page.as_uri())
    browser.wait("document.querySelector('video').readyState >= 2", 60)
    browser.run("window.film = document.querySelector('video'); film.muted = true; film.play()")
    browser.wait("film.currentTime > 0.3 && parseFloat(document.querySelector('.head').style.left) > 0", 60)
    browser.run("film.pause()")
    assert browser.run("film.videoWidth") > 0
    browser.run("document.querySelector('.scroll[role=slider]').scrollIntoView()")
    box = browser.run(
        "(() => { const area = document.querySelector('.lane').getBoundingClientRect();"
        " return [area.left, area.top, area.width]; })()"
    )
    share = 0.3
    place = {"x": box[0] + share * box[2], "y": box[1] + 10, "button": "left", "clickCount": 1}
    for kind in ("mousePressed", "mouseReleased"):
        browser.ask("Input.dispatchMouseEvent", type=kind, **place)
    seconds = browser.run("+document.querySelector('.lane').dataset.seconds")
    browser.wait(f"Math.abs(film.currentTime - {share * seconds}) < 0.05", 60)
    browser.run("document.querySelector('.scroll[role=slider]').focus()")
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    browser.wait(f"Math.abs(film.currentTime - {share * seconds + 1}) < 0.05", 60)
    browser.ask("Input.dispatchKeyEvent", type="keyDown", key="Home")
    browser.wait("film.currentTime === 0 && document.querySelector('.scroll[role=slider]').ariaValueNow === '0.0'", 60)
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.shoot(shot)


@pytest.mark.slow  # starts a browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_mp4_page_and_report_play_in_a_browser_and_a_click_goes_there(made: Path, clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    show(made, clip, f"--page={folder}", f"--output={tmp_path / 'drawn.mp4'}")
    names = ("background", "red", "blue")
    run = write_run(tmp_path / "run", [0, 1, 1, 2, 2, 0], [0, 0, 1, 2, 2, 0], names, "clip")
    report([run], tmp_path / "out" / "report.html", videos_from=tmp_path)
    with browsing(tmp_path / "profile") as browser:
        browser.ask("Page.navigate", url=(tmp_path / "drawn.mp4").as_uri())
        browser.wait("document.querySelector('video').readyState >= 2", 60)
        browser.run(
            "window.film = document.querySelector('video'); film.muted = true; film.currentTime = 0; film.play()"
        )
        browser.wait("film.currentTime > 0.3 || film.ended", 60)
        _play_and_click(browser, folder / "index.html", 400, tmp_path / "phone.png")
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        _play_and_click(browser, tmp_path / "out" / "report.html", 1280, tmp_path / "dark.png")
        assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 26)"
        assert not browser.complaints
