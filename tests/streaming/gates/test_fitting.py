"""A gate is fitted to a classifier, compared with others, written, and refuses what it was not made for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.data.base import Split
from gad_lightning.data.records import VideoRecord
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError, DataError, MissingDataError, SettingError
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gated import GatedStreams
from gad_lightning.streaming.gates.event_gate import EventGate
from gad_lightning.streaming.gates.every_nth import EveryNth
from gad_lightning.streaming.gates.fitting import FittedGate, fit_gate
from gad_lightning.streaming.gates.simulating import simulate, worth
from gad_lightning.streaming.gates.watched import Watched, watch_split

Made = tuple[DiscriminativeClassifier, ToyActions, FittedGate, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A classifier of three layers, not trained, its data and a gate after one layer."""
    data = ToyActions(num_videos=16, mode="one_pass", short_memory=4, chunk=8, seed=3)
    torch.manual_seed(0)
    disc = DiscriminativeClassifier(backbone=TinyBackbone(32, 3), schema=data.schema)
    file = tmp_path_factory.mktemp("gate") / "gate.safetensors"
    return disc, data, fit_gate(disc, data, file, layers=1, longest_wait=4.0, loss=1.0, delay=99.0), file


@pytest.fixture(scope="module")
def watched(made: Made) -> Watched:
    """The validation videos, read whole."""
    return watch_split(made[0], made[1], "val", 1)


def test_it_is_watched_as_it_is_labeled_offline(made: Made, watched: Watched) -> None:
    disc, data, *_ = made
    record = data.videos("val")[1]
    frames = record.frames.rows(np.arange(record.frames.num_frames))
    own = watched.observed.video == 1
    scores = disc.detect(frames).scores
    assert np.allclose(watched.observed.scores[own], scores.double().numpy(), atol=1e-5)
    assert watched.states.shape == (len(own), 32)


def test_the_chosen_gate_is_the_one_that_leaves_out_the_most(made: Made) -> None:
    rows = made[2].table.rows
    own = [row for row in rows if row.name.startswith("EventGate")]
    assert len(own) == 13
    assert rows[0].saved == max(row.saved for row in own) > 1.2
    assert made[2].gate.threshold == float(rows[0].name.split()[1])
    every, alone = rows[1], next(row for row in rows if row.name == "longest_wait alone")
    assert every.name == "no gate"
    assert alone.saved >= rows[0].saved
    assert (every.saved, every.same, every.delay) == (1.0, 1.0, 0.0)


def test_a_live_stream_shows_what_was_simulated(made: Made, watched: Watched) -> None:
    disc, data, fitted, file = made
    shown = simulate(fitted.gate, watched)
    detector, found = OnlineDetector(disc, gate=EventGate(file)), []
    for record in data.videos("val"):
        detector.restart()
        rows = torch.from_numpy(record.frames.rows(np.arange(record.frames.num_frames)))
        found += [int(detector.push(frame.unsqueeze(0)).label) for frame in rows]
    assert found == shown.label.tolist()
    assert isinstance(detector.streams, GatedStreams)
    assert detector.streams.whole == shown.whole < len(found)


def test_the_delay_is_counted_from_the_frame_at_which_a_label_begins(watched: Watched) -> None:
    rows = [worth("", watched, simulate(EveryNth(number, 1000.0), watched)) for number in (1, 2, 4)]
    assert all(first.delay < second.delay for first, second in pairwise(rows))
    assert all(first.same > second.same for first, second in pairwise(rows))


def test_the_head_learns_what_the_classifier_says(made: Made, watched: Watched) -> None:
    with torch.no_grad():
        guessed = made[2].gate.head(watched.states).argmax(1)
    often = float((watched.label == watched.label.mode().values).float().mean())
    assert float((guessed == watched.label).float().mean()) > max(0.8, often)


def test_the_same_seed_gives_the_same_gate(made: Made, tmp_path: Path) -> None:
    disc, data, fitted, file = made
    again = tmp_path / "again.safetensors"
    fit_gate(disc, data, again, layers=1, longest_wait=4.0, loss=1.0, delay=99.0)
    assert again.read_bytes() == file.read_bytes()
    assert fitted.table.layers == 1


def test_a_gate_of_another_classifier_is_refused(made: Made) -> None:
    disc, _, _, file = made
    torch.manual_seed(1)
    other = DiscriminativeClassifier(backbone=TinyBackbone(32, 3, seed=5), schema=disc.schema)
    with pytest.raises(SettingError, match=r"gate.safetensors was fitted to another classifier"):
        OnlineDetector(other, gate=EventGate(file))
    torch.manual_seed(0)
    same = DiscriminativeClassifier(backbone=TinyBackbone(32, 3), schema=disc.schema)
    OnlineDetector(same.bfloat16(), gate=EventGate(file))  # another number format is the same classifier
    with torch.no_grad():
        next(same.float().heads.parameters()).flatten()[0] += 1
    with pytest.raises(SettingError, match=r"gate.safetensors was fitted to another classifier"):
        OnlineDetector(same, gate=EventGate(file))


def test_files_that_are_no_gates_are_named(made: Made, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"There is no gate .*none.safetensors"):
        EventGate(tmp_path / "none.safetensors")
    whole = made[3].read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"cut.safetensors cannot be read"):
        EventGate(tmp_path / "cut.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other.safetensors is no gate"):
        EventGate(tmp_path / "other.safetensors")
    with pytest.raises(SettingError, match="threshold of EventGate lies in"):
        EventGate(made[3], threshold=1.5)


def test_what_costs_too_much_is_not_written_over_an_older_gate(made: Made, tmp_path: Path) -> None:
    disc, data, *_ = made
    file = tmp_path / "gate.safetensors"
    with pytest.raises(SettingError, match=r"Every threshold costs more than loss 0 and delay 0 allow: at 0.05"):
        fit_gate(disc, data, file, layers=1, longest_wait=40.0, loss=0.0, delay=0.0)
    assert not file.exists()
    with pytest.raises(SettingError, match="is a folder"):
        fit_gate(disc, data, tmp_path, layers=1)
    with pytest.raises(SettingError, match="loss is what a gate may cost, at least 0, got -1"):
        fit_gate(disc, data, file, layers=1, loss=-1)


class OnlyTraining(ToyActions):
    """Has no other split."""

    def videos(self, split: Split) -> list[VideoRecord]:
        return super().videos(split) if split == "train" else []


def test_data_without_what_a_gate_needs_is_named_before_anything_is_read(made: Made, tmp_path: Path) -> None:
    disc = made[0]
    one = OnlyTraining(num_videos=4, mode="one_pass", short_memory=4, chunk=8)
    with pytest.raises(DataError, match="OnlyTraining has no val split"):
        fit_gate(disc, one, tmp_path / "gate.safetensors", layers=1)
    with pytest.raises(SettingError, match="There is no task 3"):
        fit_gate(disc, one, tmp_path / "gate.safetensors", layers=1, task=3)
