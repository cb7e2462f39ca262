"""The whole way with real videos and a real encoder: encode, check, train on own data, and label the video files."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import auto_cli

from gad_lightning import Classifier
from gad_lightning.cli import main as command
from gad_lightning.tools import check_data, encode
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder

pytestmark = pytest.mark.slow  # the videos are encoded three times: 40 s
FPS = 2.0
CORRUPTED = "h264_corrupted"


@pytest.fixture(scope="module")
def root(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 12 videos, their MobileNetV2 features, and a label of its own for each, in the middle half of the video."""
    home = tmp_path_factory.mktemp("own")
    (home / "videos").mkdir()
    for video in json.loads((shared / "data/videos/manifest.json").read_text())["videos"]:
        (home / "videos" / video["file"]).symlink_to(shared / "data/videos" / video["file"])
    auto_cli(encode.main, args=[str(home / "videos"), str(home / "features"), *encoder_words(shared), "--workers=0"])
    report = json.loads((home / "features/encode_report.json").read_text())["videos"]
    with (home / "segments.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "start", "end", "label"])
        for name, outcome in report.items():
            length = outcome["frames"] / FPS
            writer.writerow([name, length / 4, 3 * length / 4, name.partition("_")[2].replace("_", " ")])
    return home


def encoder_words(shared: Path) -> list[str]:
    """Options that name the encoder."""
    folder = shared / "data/models/mobilenet-v2-imagenet"
    return ["--encoder=HuggingFaceEncoder", f"--encoder.name_or_folder={folder}", f"--fps={FPS}", "--progress=false"]


def write_config(root: Path, **data: Any) -> Path:
    """A run on the features, at toy size."""
    config = {
        "model": {
            "class_path": "gad_lightning.GADClassifier",
            "init_args": {
                "backbone": "gad_lightning.TinyBackbone",
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 3e-3}},
            },
        },
        "data": {
            "class_path": "gad_lightning.OwnVideos",
            "init_args": {"root": str(root), "mode": "one_pass", "val_fraction": 0, "predict_split": "train", **data},
        },
        "trainer": {"max_epochs": 20, "accelerator": "cpu", "default_root_dir": str(root / "runs")},
    }
    path = root / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def checkpoint(root: Path) -> Path:
    """A classifier trained with the command line."""
    config = write_config(root)
    command(["fit", f"--config={config}", "--trainer.enable_progress_bar=false"])
    (found,) = root.glob("runs/OwnVideos/GADClassifier/version_*/checkpoints/last.ckpt")
    return found


def said(root: Path) -> dict[str, list[str]]:
    """Labels of every video, from the newest file of predictions."""
    newest = max(root.glob("runs/**/frames.json"), key=lambda path: path.stat().st_mtime_ns)
    labels: dict[str, list[str]] = {}
    for row in json.loads(newest.read_text()):
        labels.setdefault(row["video"], []).append(row["label"])
    return labels


def test_the_screen_of_check_data_says_that_a_run_can_start(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    auto_cli(check_data.main, args=[f"--config={write_config(root)}"])
    screen = capsys.readouterr().out
    assert "mobilenet-v2-imagenet" in screen
    assert " train      12" in screen
    assert screen.endswith("A run can start.\n")


def test_a_file_that_ends_in_damage_is_encoded_up_to_there(root: Path) -> None:
    stated = json.loads((root / "features/encode_report.json").read_text())
    assert stated["summary"]["encoded"] == 12
    assert "cannot be decoded behind frame 28" in stated["videos"][CORRUPTED]["problem"]


def test_detect_on_the_video_gives_the_labels_of_its_feature_file(root: Path, checkpoint: Path, shared: Path) -> None:
    classifier = Classifier.load_from_checkpoint(checkpoint)
    encoder = HuggingFaceEncoder(str(shared / "data/models/mobilenet-v2-imagenet"))
    for video in sorted((root / "videos").iterdir()):
        of_features = classifier.detect(root / "features" / f"{video.stem}.npy")
        assert classifier.detect(video, encoder=encoder).labels == of_features.labels, video.name
        if len(of_features.labels) > 8:
            assert len(set(of_features.labels)) > 1, "the classifier learned to tell the middle from the ends"


def test_predict_on_the_videos_gives_the_labels_of_their_features(root: Path, checkpoint: Path, shared: Path) -> None:
    """The same command twice: once the features are there, once only the videos are."""
    config = write_config(root)
    words = [f"--ckpt_path={checkpoint}", "--trainer.enable_progress_bar=false"]
    command(["predict", f"--config={config}", *words])
    of_features = said(root)
    assert len(of_features) == 12
    folder = shared / "data/models/mobilenet-v2-imagenet"
    encoder = {"class_path": "gad_lightning.HuggingFaceEncoder"}
    (root / "features").rename(root / "features.away")
    try:
        write_config(root, fps=FPS, encoder={**encoder, "init_args": {"name_or_folder": str(folder)}})
        command(["predict", f"--config={config}", *words])
    finally:
        (root / "features.away").rename(root / "features")
    assert len(list((root / "encoded").glob("*/*.npy"))) == 12
    assert said(root) == of_features
