"""Trackers, each read back with its own reader. None is in the environment of the tests: install them to run these."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.cli import main
from gad_lightning.errors import SettingError
from gad_lightning.pictures.confusions import draw_confusions
from gad_lightning.report.tracking import Tracker
from gad_lightning.results.run_folder import read_trackers
from gad_lightning.schema import LabelSet
from tests.cli.runs import CONFIG

slow = pytest.mark.slow  # a training each


def fit(tmp_path: Path, to: str) -> Path:
    """Train for a moment with a tracker; the folder of the run."""
    (tmp_path / "run.yaml").write_text(CONFIG)
    tracked = ["--trainer.callbacks+=gad_lightning.Tracker", f"--trainer.callbacks.to={to}"]
    main(
        [
            "fit",
            f"--config={tmp_path}/run.yaml",
            f"--trainer.default_root_dir={tmp_path}/runs",
            "--trainer.log_every_n_steps=1",
            *tracked,
        ]
    )
    return tmp_path / "runs" / "ToyActions" / "GADClassifier" / "version_0"


def logged(run: Path) -> dict[str, float]:
    """The last value of each metric of metrics.csv."""
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: float(row[name]) for row in rows for name in row if row[name] and name not in ("epoch", "step")}


def test_a_tracker_that_is_not_known_or_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match=r"There is no tracker 'aim'.*\n.*tensorboard, wandb, mlflow"):
        Tracker("aim")  # type: ignore[arg-type]  # that is the mistake
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(SettingError, match=r"'wandb' is needed to track runs.*\n.*gad-lightning\[wandb\]"):
        Tracker("wandb")


def test_confusions_are_shares_of_the_true_frames_of_known_classes() -> None:
    figure = draw_confusions(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, -100]), LabelSet(("a", "b"), 0))
    shares = figure.axes[0].images[0].get_array()
    assert shares is not None
    assert shares.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a (1)", "b (2)"]


def test_a_run_without_trackers_has_no_addresses(tmp_path: Path) -> None:
    assert read_trackers(tmp_path) == {}
    (tmp_path / "trackers.json").write_text(json.dumps({"wandb": "https://wandb.ai/me/run"}))
    assert read_trackers(tmp_path) == {"wandb": "https://wandb.ai/me/run"}


@slow
def test_tensorboard_has_the_metrics_pictures_and_config(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = fit(tmp_path, "tensorboard")
    assert read_trackers(run) == {"tensorboard": str(run / "tensorboard")}
    events = reader.EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    values = {name: events.Scalars(name)[-1].value for name in events.Tags()["scalars"]}
    for name, value in logged(run).items():
        assert values[name] == pytest.approx(value, abs=1e-5)
    assert set(events.Tags()["images"]) == {"val/timelines", "val/confusions"}
    assert events.Images("val/confusions")[0].encoded_image_string.startswith(b"\x89PNG")
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "class_path: gad_lightning.ToyActions" in text


def records(file: Path) -> Iterator[bytes]:
    """Records of an offline run of wandb: a log of LevelDB, blocks of 32 KiB, after a header of 7 bytes."""
    data, place, whole = file.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        if place + 7 + size > len(data):  # it is being written
            return
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def ended(file: Path, read: Callable[[bytes], Any]) -> list[Any]:
    """Records of a run that has ended: another process writes them, and the last one says that it is done."""
    until = time.monotonic() + 120
    while True:
        found = [read(data) for data in records(file)]
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < until, f"{file} does not end"
        time.sleep(0.1)


@slow
def test_wandb_has_the_metrics_pictures_and_config_offline(tmp_path: Path) -> None:
    wandb = pytest.importorskip("wandb")
    record_of = pytest.importorskip("wandb.proto.wandb_internal_pb2").Record
    run = fit(tmp_path, "wandb")
    wandb.finish()
    folder = Path(read_trackers(run)["wandb"])
    values: dict[str, str] = {}
    config: dict[str, str] = {}
    for record in ended(next(folder.glob("run-*.wandb")), record_of.FromString):
        values |= {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        sent = [*record.config.update, *record.run.config.update]
        config |= {item.key or "/".join(item.nested_key): item.value_json for item in sent}
    for name, value in logged(run).items():
        assert float(values[name]) == pytest.approx(value, abs=1e-5)
    assert {"val/timelines/_type", "val/confusions/_type"} <= set(values)
    assert len(list((folder / "files" / "media").rglob("*.png"))) >= 2
    assert json.loads(config["data.class_path"]) == "gad_lightning.ToyActions"


@slow
def test_mlflow_has_the_metrics_pictures_and_config_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = fit(tmp_path, "mlflow")
    address = read_trackers(run)["mlflow"]
    client = mlflow.MlflowClient(tracking_uri=f"file:{run / 'mlruns'}")
    found = client.get_run(address.rpartition("/")[2])
    for name, value in logged(run).items():
        assert found.data.metrics[name] == pytest.approx(value, abs=1e-5)
    assert found.data.params["data.class_path"] == "gad_lightning.ToyActions"
    assert {item.path for item in client.list_artifacts(found.info.run_id, "val")} == {
        "val/confusions",
        "val/timelines",
    }
