"""gad-lightning start: the run that it writes fits the folder and this machine, and is explained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gad_lightning.cli import main
from gad_lightning.data.formats.base import LabeledVideo
from gad_lightning.data.formats.registry import format_named, read_annotations, write_annotations
from gad_lightning.errors import GadError, MissingDataError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.sidecar import write_sidecar
from gad_lightning.video.kitchen.synthetic import render_kitchen
from tests.data.own_folder import write_own
from tests.video.serving import write_scenes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five videos of 10 frames at 2 a second, e without a segment."""
    write_own(tmp_path)
    write_sidecar(tmp_path / "features", FeatureSpec("mine", 2.0, 3))
    return tmp_path


def started(root: Path, *words: str) -> dict[str, object]:
    """The settings of the data of the run that is written."""
    main(["start", str(root), *words])
    settings: dict[str, object] = yaml.safe_load((root / "run.yaml").read_text(encoding="utf-8"))["data"]["init_args"]
    return settings


def test_features_that_are_there_give_the_rate_and_no_encoder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = started(root)
    assert settings == {"root": str(root), "mode": "one_pass", "short_memory": 32, "chunk": 32, "batch_size": 4}
    said = capsys.readouterr().out
    assert "5 videos, 0.01 hours, 5 segments of 2 actions" in said
    assert "2 frames a second: as features.json says" in said
    assert "1 of 2 classes have one or two segments" in said
    assert "videos.csv has goals, which are not used" in said
    assert f"next: gad-lightning fit --config {root / 'run.yaml'}" in said


def test_that_fit_needs_the_videos_that_are_not_there_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "features" / "a.npy").unlink()
    started(root)
    assert "1 annotated videos are not there, and fit refuses without: a, ..." in capsys.readouterr().out
    with pytest.raises(MissingDataError, match="The video 'a' has neither"):
        main(["fit", "--config", str(root / "run.yaml")])


def test_the_run_that_is_written_can_be_read_by_fit(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started(root)
    with pytest.raises(SystemExit) as left:
        main(["fit", "--config", str(root / "run.yaml"), "--print_config"])
    assert left.value.code == 0
    assert "gad_lightning.OwnVideos" in capsys.readouterr().out


def test_annotations_that_overlap_and_cover_all_change_the_run(root: Path) -> None:
    rows = [f"{name},{start},{end},{label}" for name in "abcde" for start, end, label in ((0, 5, "x"), (1, 4, "y"))]
    (root / "segments.csv").write_text("\n".join(["video,start,end,label", *rows]) + "\n")
    settings = started(root)
    assert settings["multi_label"] is True
    assert settings["background"] is None


def test_of_files_of_several_tools_those_that_are_no_subtitles_are_taken(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = read_annotations(["segments.csv"], root).annotations
    (root / "segments.csv").unlink()
    videos = [LabeledVideo(name, tuple(one for one in found if one.video == name), 2.0) for name in "abcd"]
    for name in ("elan", "webvtt"):
        write_annotations(videos, root, format_named(name))
    assert started(root)["annotations"] == ["*.eaf"]
    said = capsys.readouterr().out
    assert "the labels are those of 4 ELAN files" in said
    assert "not used: 4 WebVTT files" in said


def test_what_is_missing_is_named_and_a_run_that_is_there_stays(root: Path) -> None:
    started(root)
    with pytest.raises(GadError, match=r"run\.yaml is there already.*\n.*--overwrite=true"):
        started(root)
    shutil.rmtree(root / "features")
    with pytest.raises(MissingDataError, match=r"None of the 5 annotated videos is in .*: a, b, c"):
        started(root, "--overwrite=true")
    (root / "segments.csv").unlink()
    with pytest.raises(MissingDataError, match=r"no segments\.csv and no annotation file.*\n.*gad-lightning import"):
        started(root, "--overwrite=true")


def test_with_a_gpu_a_pretrained_model_and_encoder_are_taken_and_the_next_commands_name_them(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(root / "features")
    for name in "abcde":
        write_scenes(root / f"{name}.mp4", [("red", 5.0)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (24 * 2**30, 24 * 2**30))
    settings = started(root)
    assert settings["encoder"] == {
        "class_path": "gad_lightning.HuggingFaceEncoder",
        "init_args": {"name_or_folder": "google/siglip2-base-patch16-224"},
    }
    model = yaml.safe_load((root / "run.yaml").read_text(encoding="utf-8"))["model"]
    assert model["class_path"] == "gad_lightning.GADClassifier"
    assert model["init_args"]["backbone"]["init_args"]["language_model"] == "HuggingFaceTB/SmolLM2-360M-Instruct"
    said = capsys.readouterr().out
    assert "it fits 24 GiB of free GPU memory" in said
    assert "GADClassifier/version_0/checkpoints/best.ckpt --encoder=gad_lightning.HuggingFaceEncoder" in said


@pytest.mark.slow  # renders, encodes and trains: half a minute
def test_three_commands_lead_from_videos_with_elan_files_to_subtitles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kitchen = render_kitchen("kitchen", num_videos=14, fps=4, size=48)
    truth = read_annotations([kitchen.segments], Path()).annotations
    Path("films").mkdir()
    names = sorted({one.video for one in truth})
    for name in names:
        (kitchen.videos / f"{name}.mp4").rename(f"films/{name}.mp4")
    for name in names[:-1]:
        labels = tuple(one for one in truth if one.video == name)
        write_annotations([LabeledVideo(name, labels, 4.0, f"{name}.mp4")], Path("films"), format_named("elan"))
    new = Path(f"films/{names[-1]}.mp4").rename("new.mp4")
    main(["start", "films"])
    main(["fit", "--config=films/run.yaml", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"])
    run = "runs/OwnVideos/DiscriminativeClassifier/version_0"
    main(["detect", str(new), f"--checkpoint={run}/checkpoints/best.ckpt"])
    found = read_annotations(["new.vtt"], Path()).annotations
    assert found
    assert {one.label for one in found} <= {one.label for one in truth}
    times = np.arange(0, max(one.end for one in truth if one.video == names[-1]), 0.25)
    said, true = (
        [next((one.label for one in rows if one.start <= time < one.end), "") for time in times]
        for rows in (found, [one for one in truth if one.video == names[-1]])
    )
    assert np.mean([one == other for one, other in zip(said, true, strict=True)]) > 0.4
    assert json.dumps("films") in Path("films/run.yaml").read_text(encoding="utf-8")
