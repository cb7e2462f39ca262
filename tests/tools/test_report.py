"""The command ``report``: what is on the page, that nothing on it can act, and that a browser has no complaint."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import nullcontext
from html import unescape
from pathlib import Path

import pytest

from gad_lightning.cli import main as command
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.tools.report import main
from tests.report.making import NASTY, NASTY_VIDEO, SCRIPT, Checker, write_run
from tests.video.clips import write_clip


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of two runs with labels, names and a config that would do harm if they could."""
    truth = [0, 0, 1, 1, 1, 0, 2, 2, 3, 3]
    one = write_run(tmp_path / "<b>one<i>", [0, 1, 1, 1, 0, 0, 2, 2, 0, 0], truth)
    two = write_run(tmp_path / "\"two\" & '2'", [0, 0, 2, 1, 1, 0, 0, 2, 3, 3], truth)
    main([one, two], tmp_path / "out" / "report.html")
    return tmp_path / "out" / "report.html"


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


def test_a_run_that_cannot_be_read_is_named_and_the_others_have_their_page(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    one = write_run(tmp_path / "one", [0], [0])
    (one / "config.yaml").write_text("model: gad_lightning.GADClassifier\n")
    with pytest.raises(DataError, match=r"1 of 2 runs are not on the page:\n .*bad has neither"):
        main([tmp_path / "bad", one], tmp_path / "page.html")
    assert "Report of one" in Checker((tmp_path / "page.html").read_text(encoding="utf-8")).said


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
    assert "Predicted by the checkpoints: version_0 best.ckpt." in said
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


def test_the_page_lies_with_its_runs_unless_told_otherwise(tmp_path: Path) -> None:
    one, two = (write_run(tmp_path / "runs" / name / "version_0", [0], [0]) for name in ("gad", "disc"))
    main([one])
    assert (one / "report.html").is_file()
    main([one, two])
    assert (tmp_path / "runs" / "report.html").is_file()
    main([one])  # its own page is written anew


def test_a_page_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [0], [0])
    (run / "report.html").write_text("<html>my own report</html>")
    with pytest.raises(SettingError, match=r"report\.html is there and was not made by .*\n.*--output"):
        main([run])
    assert "my own" in (run / "report.html").read_text()


DAMAGES = {
    "predictions/frames.csv": ["", "a,b\n1,2\n", "\udcff", "video,task,frame,seconds,label,score,truth\nx\n", "\x00"],
    "predictions/about.json": ["", "[", "[]", "null", '{"fps": "x"}', '{"classifier": 1, "fps": 2, "tasks": [{}]}'],
    "predictions/states.npz": ["", "PK", "text"],
    "config.yaml": ["a: [", "- 1", "a: &a [*a]", "\udcff", "model: {class_path: [}"],
    "metrics.csv": ["\udcff", "\x00", "epoch,train/loss\nx,1\n1,x\n,\n"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGES.items() for text in texts])
def test_a_damaged_run_loses_no_page_and_ends_in_no_traceback(tmp_path: Path, name: str, text: str) -> None:
    good = write_run(tmp_path / "good", [0, 1], [0, 1])
    bad = write_run(tmp_path / "bad", [0, 1], [0, 1])
    (bad / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    harmless = name == "metrics.csv" and text.isascii()  # cells that are no numbers are skipped
    with nullcontext() if harmless else pytest.raises(DataError, match=rf"1 of 2 runs .*\n.*{re.escape(str(bad))}"):
        main([bad, good], tmp_path / "page.html")
    said = Checker((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not said.wrong
    assert "good" in said.said


def test_videos_of_a_folder_play_and_those_that_do_not_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "videos"
    home.mkdir()
    write_clip(home / "tea.mp4", [0.0, 0.5])
    write_clip(home / "soup.mkv", [0.0, 0.5])
    runs = [write_run(tmp_path / name, [0, 1], [0, 1], video=name) for name in ("tea", "soup", "rice")]
    main(runs, tmp_path / "out" / "page.html", videos_from=home)
    said = capsys.readouterr().out
    assert f"1 videos play on the page, from {home}" in said
    assert "note: 1 are not there, first rice" in said
    assert "note: 1 are of a kind that browsers do not play, first soup.mkv: convert" in said
    assert 'src="../videos/tea.mp4#t=0.001"' in (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    with pytest.raises(MissingDataError, match="no folder of videos"):
        main(runs, tmp_path / "out" / "page.html", videos_from=tmp_path / "none")
