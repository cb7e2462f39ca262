"""The command ``check-data``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonargparse import auto_cli

from gad_lightning.errors import SettingError
from gad_lightning.tools.check_data import main
from tests.data.official_roots import write_features, write_lines

FEATURES = "vitg14_rgb_fps1_h224_w224"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """CrossTask with two tasks of two steps and four videos of 10 s."""
    release = tmp_path / "crosstask_release"
    tea = ("7", "Make Tea", "url", "2", "pour water,add tea")
    soup = ("9", "Make Soup", "url", "2", "add salt,pour water")
    write_lines(release / "tasks_primary.txt", *tea, "", *soup, "")
    write_lines(release / "videos_val.csv", "9,c,url")
    write_lines(release / "annotations" / "7_a.csv", "1,0.5,2.0", "2,2.0,4.5")
    write_lines(release / "annotations" / "7_b.csv", "1,1,3", "2,2,4")
    write_lines(release / "annotations" / "9_c.csv", "2,0,3", "1,3,4")
    write_lines(release / "annotations" / "9_d.csv", "2,0,3")
    write_features(tmp_path / FEATURES, dict.fromkeys("abcd", 10))
    return tmp_path


def check(root: Path, *words: str, model: dict[str, Any] | None = None, **changes: Any) -> None:
    """Run the command on a config, as the command line does."""
    settings = {"root": str(root), "split": "official", "val_fraction": 0, **changes}
    logger = {"class_path": "no.such.Logger"}  # a run's settings are not looked at
    config = {
        "seed_everything": 0,
        "data": {"class_path": "gad_lightning.CrossTask", "init_args": settings},
        "trainer": {"max_epochs": 5, "logger": logger},
    }
    if model is not None:
        config["model"] = {"class_path": "gad_lightning.GADClassifier", "init_args": model}
    path = root / "run.yaml"
    path.write_text(json.dumps(config))
    auto_cli(main, args=[f"--config={path}", *words])


def test_one_screen_says_what_there_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(root)
    said = capsys.readouterr().out
    assert "crosstask_release/tasks_primary.txt" in said
    assert "https://github.com/DmZhukov/CrossTask" in said
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.split()[0] in ("train", "test")}
    assert rows == {
        "train": ["3", "0.01", "30", "5", "66.7%", "0.0%", "3.3%"],
        "test": ["1", "0.00", "10", "2", "60.0%", "0.0%", "0.0%"],
    }
    assert "classes: 4 of which 3 are actions, 2 goals" in said
    assert (
        "classes by training segments: unseen (0): 1, few (1-19): 2, medium (20-100): 0, many (101 or more): 0" in said
    )
    assert "note: 1 of 4 classes have no training example: 'add salt'" in said
    assert f"features: {FEATURES}, 1 frames a second, 1 x 3 numbers a frame" in said
    assert said.endswith("A run can start.\n")
    assert len(said.splitlines()) <= 40


def test_missing_features_fail_and_the_annotations_are_counted_all_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        check(root, "--data.features=flow")
    said = capsys.readouterr().out
    assert "flow/*.npy" in said
    assert "[MISSING]" in said
    assert "problem: 3 of the 3 train videos of CrossTask lack something" in said
    assert " train       3" in said
    assert "A run would fail: 2 problems." in said


def test_annotations_of_one_split_are_counted_where_the_other_has_none(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("7_a", "7_b", "9_d"):
        (root / "crosstask_release" / "annotations" / f"{name}.csv").unlink()
    info = {"class_names": ["BackGround", "pour water", "add salt"], "fps": 1}
    sessions = {"train_session_set": ["a", "b"], "test_session_set": ["c"]}
    (root / "data_info.json").write_text(json.dumps({"CrossTask": info | sessions}))
    with pytest.raises(SystemExit, match="1"):
        check(root, split="published")
    said = capsys.readouterr().out
    assert "problem: 2 of the 2 train videos of CrossTask lack something, first an annotation of a" in said
    assert " test        1" in said


def test_annotations_alone_are_no_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        check(root, features=None)
    assert "problem: data.features is null" in capsys.readouterr().out


def test_damaged_values_are_found(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = np.zeros((10, 3), dtype=np.float32)
    rows[5] = np.nan
    np.save(root / FEATURES / "b.npy", rows)
    check(root)  # the first and the last frame are in order
    with pytest.raises(SystemExit, match="1"):
        check(root, "--read_all=true")
    assert "problem: Frame 5 of" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not an array"])
def test_a_broken_file_is_a_problem(root: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (root / FEATURES / "c.npy").write_bytes(content)
    with pytest.raises(SystemExit, match="1"):
        check(root)
    assert "c.npy cannot be read as features" in capsys.readouterr().out


def test_features_of_two_kinds_and_a_wrong_setting_are_problems(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_features(root / FEATURES, {"a": 10}, width=4)
    with pytest.raises(SystemExit, match="1"):
        check(root)
    assert "width" in capsys.readouterr().out
    write_features(root / FEATURES, {"a": 10})
    with pytest.raises(SystemExit, match="1"):
        check(root, "--data.batch_size=0")
    assert "problem: data.batch_size must be at least 1" in capsys.readouterr().out


def test_features_that_are_too_short_are_noted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(root / "crosstask_release" / "annotations" / "7_a.csv", "1,0.5,2.0", "2,40,50", "1,2.1,2.2")
    check(root)
    said = capsys.readouterr().out
    assert "features of 1 videos are not as long as the annotations say, first a: 10 s instead of 50 s" in said
    assert "note: train: 1 segments of 1 videos begin after the features end, first a" in said
    assert "note: train: 1 segments fall between two frames and are lost" in said


def test_tokens_are_counted_with_the_tokenizer_of_the_model(
    root: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = "gad_lightning.TinyBackbone"
    check(root, model={"backbone": tiny})
    assert "labels: 1 to 2 tokens, median 2, longest 'pour water'; 2 of 4 share their first" in capsys.readouterr().out
    check(root, model={"backbone": tiny, "labels": "gad_lightning.SingleTokenLabels"})
    assert "labels: 1 to 1 tokens" in capsys.readouterr().out
    folder = str(shared / "data" / "models" / "llama2-tokenizer-32k")  # has no weights
    path = "gad_lightning.CausalLM"
    check(root, model={"backbone": {"class_path": path, "init_args": {"language_model": folder}}})
    assert "labels: 1 to 2 tokens" in capsys.readouterr().out


def test_a_model_that_is_not_there_is_a_problem(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = "gad_lightning.CausalLM"
    with pytest.raises(SystemExit, match="1"):
        check(root, model={"backbone": {"class_path": path, "init_args": {"language_model": "./nowhere"}}})
    assert "problem: There is no folder ./nowhere" in capsys.readouterr().out


def test_clips_are_counted_by_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = {"id": "0", "label": "boil water", "segment": [1, 3]}
    other = {**step, "label": "add tea"}
    about = {"annotation": [step, other], "class": "MakeTea", "duration": 20.0, "start": 0, "end": 4}
    videos = {name: {**about, "subset": subset} for name, subset in (("a", "training"), ("b", "testing"))}
    (tmp_path / "COIN.json").write_text(json.dumps({"database": videos}))
    write_features(tmp_path / "features", dict.fromkeys("ab", 41))
    path = "gad_lightning.COIN"
    (tmp_path / "run.yaml").write_text(json.dumps({"data": {"class_path": path, "init_args": {"root": str(tmp_path)}}}))
    auto_cli(main, args=[f"--config={tmp_path / 'run.yaml'}", "--data.val_fraction=0"])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("train"))
    assert row.split()[-3:] == ["2", "1", "1"]


def test_videos_that_no_csv_file_names_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_features(tmp_path / "features", dict.fromkeys("abc", 8))
    write_lines(tmp_path / "segments.csv", "video,start,end,label", "a,0,2,stir", "d,0,2,stir")
    data = {
        "class_path": "gad_lightning.OwnVideos",
        "init_args": {"root": str(tmp_path), "fps": 4.0, "val_fraction": 0},
    }
    (tmp_path / "run.yaml").write_text(json.dumps({"data": data}))
    with pytest.raises(SystemExit, match="1"):
        auto_cli(main, args=[f"--config={tmp_path / 'run.yaml'}"])
    said = capsys.readouterr().out
    assert "note: 2 videos are in no CSV file and not used: b, c\n" in said
    assert "problem: The video 'd' has neither" in said
    assert said.endswith("A run would fail: 1 problem.\n")


def look_at_own(root: Path, capsys: pytest.CaptureFixture[str], *words: str, **settings: Any) -> str:
    """Run the command on own videos; what it prints."""
    given = {"root": str(root), "fps": 4.0, **settings}
    config = {"data": {"class_path": "gad_lightning.OwnVideos", "init_args": given}}
    (root / "run.yaml").write_text(json.dumps(config))
    auto_cli(main, args=[f"--config={root / 'run.yaml'}", *words])
    return capsys.readouterr().out


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Three own videos of 8 frames that are labeled throughout, with features of every kind."""
    rng = np.random.default_rng(0)
    counts = np.zeros(8)
    counts[3:5] = [2, 5]
    columns = [rng.normal(size=8), np.full(8, 7.0), np.arange(8) % 3 == 0, np.arange(8) % 3 == 1, counts]
    write_features(tmp_path / "features", dict.fromkeys("abc", 8))
    for name in "abc":
        np.save(tmp_path / "features" / f"{name}.npy", np.stack(columns, 1).astype(np.float32))
    rows = [f"{name},{start},{start + 1},{label}" for name in "abc" for start, label in ((0, "stir"), (1, "pour"))]
    write_lines(tmp_path / "segments.csv", "video,start,end,label", *rows)
    return tmp_path


@pytest.mark.parametrize("words", [(), ("--read_all=true",)], ids=["some", "all"])
def test_what_is_not_standardized_is_told(
    own: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    said = look_at_own(own, capsys, *words)
    assert "features: 1 of 5 numbers never vary" in said
    assert "features: 2 of 5 numbers have two values" in said
    assert "features: 1 of 5 numbers are mostly zero" in said
    assert "numbers have two values" not in look_at_own(own, capsys, *words, standardize=False)


def test_a_validation_of_one_group_is_noted(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "note: Validation is one group of videos, " in look_at_own(own, capsys)
    assert "Raise data.val_fraction." in look_at_own(own, capsys)
    assert "Validation" not in look_at_own(own, capsys, val_fraction=0.5)
    assert "Validation" not in look_at_own(own, capsys, val_fraction=0)


def test_a_fraction_is_not_proposed_where_a_val_split_is_given(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(own / "videos.csv", "video,split", "a,train", "b,train", "c,val")
    said = look_at_own(own, capsys)
    assert "it alone chooses the best checkpoint. List videos of more groups for the val split." in said
    assert "val_fraction" not in said


def test_labels_that_may_be_slips_of_the_pen_are_noted(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (own / "segments.csv").open("a") as file:
        file.write("a,0,1,sitr\n")
    said = look_at_own(own, capsys)
    assert f"note: 'sitr' ({own / 'segments.csv'}, line 8) is nearly 'stir', and a class of its own" in said
    assert "note: 1 of 3 classes have one or two segments" in said
    assert "A run can start." in said
    assert "nearly" not in look_at_own(own, capsys, class_names=["background", "pour", "stir", "sitr"])


def test_a_background_that_no_frame_shows_is_noted(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = look_at_own(own, capsys)
    assert "note: No frame is 'background': if there is none, set data.background to null" in said
    assert "No frame is" not in look_at_own(own, capsys, background=None)


def test_no_data_is_refused() -> None:
    with pytest.raises(SettingError, match=r"--config run\.yaml"):
        main()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_names_are_shown_and_never_obeyed_whatever_the_terminal_can_write(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "features").mkdir()
    np.save(tmp_path / "features" / "v.npy", np.zeros((20, 4), np.float32))
    (tmp_path / "segments.csv").write_text(
        "video,start,end,label\nv,0,2,\x1b[2J\u5207\u308b\nv,2,4,stir\nw\x1b[31m,0,1,stir\n", encoding="utf-8"
    )
    settings = {"root": str(tmp_path), "fps": 4, "val_fraction": 0}
    (tmp_path / "run.yaml").write_text(
        json.dumps({"data": {"class_path": "gad_lightning.OwnVideos", "init_args": settings}})
    )
    command = [sys.executable, "-m", "gad_lightning", "check-data", f"--config={tmp_path / 'run.yaml'}"]
    plain = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, check=False, env=plain)
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"[2J" in done.stdout  # names are read without controls
