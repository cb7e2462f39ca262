"""The command ``report``: what is on the page, that nothing on it can act, and that a browser has no complaint."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
from collections.abc import Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gad_lightning.cli import main as command
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.report.charts import Axes, Line, chart
from gad_lightning.report.merging import joined
from gad_lightning.schema import LabelSet
from gad_lightning.tools.report import main

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


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of two runs with labels, names and a config that would do harm if they could."""
    truth = [0, 0, 1, 1, 1, 0, 2, 2, 3, 3]
    one = write_run(tmp_path / "<b>one<i>", [0, 1, 1, 1, 0, 0, 2, 2, 0, 0], truth)
    two = write_run(tmp_path / "\"two\" & '2'", [0, 0, 2, 1, 1, 0, 0, 2, 3, 3], truth)
    main([one, two], tmp_path / "out" / "report.html")
    return tmp_path / "out" / "report.html"


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


def test_the_page_is_well_formed_and_what_users_name_is_only_text(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    checked = Checker(text)
    assert not checked.wrong
    assert checked.tags.count("script") == checked.tags.count("style") == 1
    assert "img" not in checked.tags
    for name in (SCRIPT, NASTY[2], NASTY_VIDEO, "<b>one<i>", "\"two\" & '2'"):
        assert name in checked.said
    assert "\x00" not in text


def test_the_page_fetches_nothing_and_runs_only_its_own_program(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    program = re.findall(r"<style>.*?</style>|<script>.*?</script>", text, flags=re.DOTALL)
    assert len(program) == 2
    assert not any(re.search(r"url\(|@import|https?:|fetch\(|XMLHttp|eval\(|innerHTML", part) for part in program)
    assert "default-src 'none'" in text
    assert re.search(r"script-src 'sha256-[\w+/]+='", text)


def test_every_section_is_there(page: Path) -> None:
    said = Checker(page.read_text(encoding="utf-8")).said
    for title in ("Overview", "Timelines", "Classes", "Confusions", "Calibration", "Detection delay", "States"):
        assert title in said
    for title in ("Training", "Speed", "Config"):
        assert title in said
    assert "--predict=always" in said, "why there are no states and no speed"


def test_passwords_in_configs_are_struck_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "kitchen/1" in text


def test_figures_are_those_of_the_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("background", "stir", "pour")
    run = write_run(tmp_path / "run", [0, 1, 1, 0, 2, 2], [0, 1, 1, 0, 1, 1], names, "breakfast")
    main([run], tmp_path / "page.html")
    assert f"{tmp_path / 'page.html'} shows run\n" in capsys.readouterr().out
    said = Checker((tmp_path / "page.html").read_text(encoding="utf-8")).said
    top1, segment_f1 = 4 / 6, 2 * 1 / (2 + 2)
    assert f"{top1:.3f}" in said
    assert f"{segment_f1:.3f}" in said
    assert "1 run, 1 video, 6 scored frames at 2 frames a second, 3 classes." in said


@pytest.mark.parametrize("per_frame", [True, False])
def test_a_run_without_truth_or_of_clips_has_a_page(tmp_path: Path, per_frame: bool) -> None:
    run = write_run(tmp_path / "run", [0, 1, 1], [None] * 3 if per_frame else [0, 1, 2], per_frame=per_frame)
    main([run], tmp_path / "page.html")
    assert not Checker((tmp_path / "page.html").read_text(encoding="utf-8")).wrong


def test_runs_with_other_classes_share_one_page(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [0, 1], [0, 1], ("background", "stir"))
    two = write_run(tmp_path / "two", [0, 2], [0, 2], ("background", "pour", "stir"))
    main([one, two], tmp_path / "page.html")
    said = Checker((tmp_path / "page.html").read_text(encoding="utf-8")).said
    assert said.count("1.000") >= 2, "both say stir where it is stir"


def test_runs_tested_on_other_frames_are_told_apart_and_none_is_called_best(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [0, 1, 1], [0, 1, 1], video="a")
    two = write_run(tmp_path / "two", [0, 1, 0], [0, 1, 1], video="a")
    main([one, two], tmp_path / "same.html")
    three = write_run(tmp_path / "three", [0, 1], [0, 1], video="b")
    main([one, three], tmp_path / "other.html")
    same, other = ((tmp_path / name).read_text(encoding="utf-8") for name in ("same.html", "other.html"))
    assert "cannot be compared" not in same
    assert "<b>1.000</b>" in same
    assert "were not tested on the same frames and labels (one 1 video, three 1 video)" in other
    assert "<b>1.000</b>" not in other


def test_the_background_of_any_run_is_none_of_the_actions() -> None:
    plain, marked = LabelSet(("rest", "stir")), LabelSet(("stir", "rest"), 1)
    assert joined([plain, marked]) == LabelSet(("rest", "stir"), 0)


def test_a_run_that_cannot_be_read_is_named_and_the_others_have_their_page(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    one = write_run(tmp_path / "one", [0], [0])
    (one / "config.yaml").write_text("model: gad_lightning.GADClassifier\n")
    with pytest.raises(DataError, match=r"1 of 2 runs are not on the page. .*bad"):
        main([tmp_path / "bad", one], tmp_path / "page.html")
    assert "Report of one" in Checker((tmp_path / "page.html").read_text(encoding="utf-8")).said


def test_a_dot_after_a_value_that_is_no_number_tells_its_own() -> None:
    line = Line("loss", ((0.0, 1.0), (1.0, math.nan), (2.0, 0.5)), 0, dots=True)
    assert "loss: 2, 0.5" in "".join(chart("loss", Axes((0, 2), (0, 1), "epoch", "loss"), [line]).itertext())


def test_a_run_without_predictions_is_predicted_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]
    parts = ["--model=gad_lightning.DiscriminativeClassifier", "--model.backbone=gad_lightning.TinyBackbone"]
    data = ["--data=gad_lightning.ToyActions", "--data.mode=one_pass", f"--trainer.default_root_dir={tmp_path}"]
    command(["fit", *parts, *data, *quiet, "--trainer.max_epochs=1"])
    run = tmp_path / "ToyActions/DiscriminativeClassifier/version_0"
    with pytest.raises(MissingDataError, match=r"(?s)has no predictions.*leave out --predict=never"):
        main([run], tmp_path / "page.html", predict="never")
    command(["report", str(run), f"--output={tmp_path / 'page.html'}"])
    assert "predicting the test split with checkpoints/best.ckpt" in capsys.readouterr().out
    said = Checker((tmp_path / "page.html").read_text(encoding="utf-8")).said
    assert "laid out by t-SNE" in said
    assert "frames a second" in said
    assert "By frequency (training segments of a class)" in said


def test_predictions_of_a_later_command_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = write_run(tmp_path / "version_1", [0, 1], [0, 1])
    fitted = tmp_path / "version_0"
    (fitted / "checkpoints").mkdir(parents=True)
    (later / "config.yaml").write_text(f"ckpt_path: {fitted / 'checkpoints/best.ckpt'}\n")
    main([fitted], tmp_path / "page.html")
    assert f"with the predictions in {later / 'predictions'}" in capsys.readouterr().out


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="There is no run"):
        main([tmp_path / "nowhere"])
    with pytest.raises(MissingDataError, match="neither predictions nor a checkpoint"):
        main([tmp_path])
    run = write_run(tmp_path / "run", [0], [0])
    with pytest.raises(SettingError, match="given twice"):
        main([run, run])
    (run / "predictions/frames.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="holds no predictions"):
        main([run], tmp_path / "page.html")


PROBE = """<script>
const told = [];
window.addEventListener("error", (event) => told.push(String(event.message)));
window.addEventListener("load", () => {
  document.querySelector("[data-zoom='4']").click();
  const lane = document.querySelector(".lane"), box = lane.getBoundingClientRect();
  lane.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + 1, clientY: box.top + 5}));
  document.body.setAttribute("data-probe", JSON.stringify({
    width: window.innerWidth, needed: document.documentElement.scrollWidth, errors: told, title: document.title,
    zoom: document.querySelector("#videos").className, said: document.querySelector(".said").textContent,
  }));
});
</script>"""


@pytest.mark.slow  # starts a browser: some seconds
@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1280, 400])
def test_a_browser_has_no_complaint(page: Path, width: int) -> None:
    """The page as it is gives no message; with a probe in it nothing is wider than the window and the program works."""
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    browser += [f"--window-size={width},900", "--dump-dom"]
    plain = subprocess.run([*browser, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in plain.stderr
    assert "<title>pwned" not in plain.stdout
    text = page.read_text(encoding="utf-8")
    probed = page.with_name("probed.html")
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', PROBE, text)
    probed.write_text(opened, encoding="utf-8")
    done = subprocess.run([*browser, probed.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found is not None
    told = json.loads(unescape(found.group(1)))
    assert told["errors"] == []
    assert told["needed"] <= told["width"], told
    assert told["zoom"] == "zoom4"
    assert told["said"].startswith("0.0 s")
    assert "pwned" not in told["title"]


def test_several_questions_share_a_page_and_only_those_of_frames_have_timelines(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0, 1, 1, 0], [0, 1, 0, 0], ("background", "stir"), "breakfast")
    path = run / "predictions/frames.csv"
    rows = path.read_text().splitlines()
    clips = [f"breakfast,goal,{frame},{frame / 2},make tea,0.9,make soup" for frame in (1, 3)]
    path.write_text("\n".join([*rows, *clips]) + "\n")
    about = json.loads((run / "predictions/about.json").read_text())
    about["tasks"].insert(
        0, {"name": "goal", "names": ["make tea", "make soup"], "background": None, "per_frame": False}
    )
    (run / "predictions/about.json").write_text(json.dumps(about))
    main([run], tmp_path / "page.html")
    checked = Checker((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not checked.wrong
    assert "Timelines of action" in checked.said
    assert "Timelines of goal" not in checked.said
    assert "Confusions of goal" in checked.said
