"""The benchmarks run, and what they compare says the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.schema import FeatureSpec, Windows

BENCH = Path(__file__).resolve().parents[1] / "experiments" / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules that the benchmarks share."""
    monkeypatch.syspath_prepend(str(BENCH))
    import published_loop
    import shapes

    return {"loop": published_loop.PublishedLoop, "make": shapes.make, "names": shapes.class_names}


def classifier_of(bench: Any, kind: type[Classifier], **more: Any) -> Classifier:
    """The tiny shape with a window of 16 frames, LoRA not at its start, in which it does nothing."""
    classifier: Classifier = bench["make"](
        kind,
        "tiny",
        Windows("window", 16),
        FeatureSpec("random", 1.0, 12),
        bench["names"](20),
        "cpu",
        "float32",
        **more,
    )
    generator = torch.Generator().manual_seed(1)
    for name, weight in classifier.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.02
    return classifier.eval()


@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_window_mode_gives_the_scores_of_the_published_style_loop(bench: Any, kind: type[Classifier]) -> None:
    classifier = classifier_of(bench, kind)
    loop = bench["loop"](classifier, generative=False)
    windows = torch.randn(12, 16, 12)
    states: list[Tensor] = []
    choose = loop.choose
    loop.choose = lambda state: states.append(state) or choose(state)
    labels = [loop.label(window) for window in windows]
    expected = classifier.classify(torch.stack(states), torch.zeros(12, dtype=torch.int64)).log_softmax(1)
    scores = []
    for merged in (False, True):
        if merged:
            classifier.backbone.merge()
        with torch.inference_mode():
            scores.append(classifier(windows))
        torch.testing.assert_close(scores[-1].log_softmax(1), expected, rtol=0, atol=1e-4)
        assert [loop.names[best] for best in scores[-1].argmax(1)] == labels


def test_window_mode_writes_what_the_published_style_loop_writes(bench: Any) -> None:
    classifier = classifier_of(bench, GenerativeClassifier, readout=NearestReadout())
    windows = torch.randn(12, 16, 12)
    most = classifier.room(1)
    loop = bench["loop"](classifier, generative=True, label_tokens=most)
    labels = [loop.label(window) for window in windows]
    with torch.inference_mode():
        scores = classifier(windows)
    assert [loop.names[best] for best in scores.argmax(1)] == labels


@pytest.mark.slow  # a process of its own, which imports everything
def test_the_encoding_benchmark_runs_and_stores_its_figures(tmp_path: Path) -> None:
    command = [sys.executable, BENCH / "encode.py", "--repeats", "1", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (stored,) = tmp_path.glob("*.json")
    assert "versions" in json.loads(stored.read_text())["surroundings"]


@pytest.mark.slow  # six runs of the command line
def test_both_modes_train_as_long_and_are_tested(tmp_path: Path) -> None:
    config = BENCH.parent / "kitchen" / "discriminative.yaml"
    data = ["--data=gad_lightning.ToyActions", "--data.num_videos=8", "--data.short_memory=16", "--data.stride=8"]
    command = [sys.executable, BENCH / "modes.py", config, "--seconds", "2", "--output", tmp_path, *data]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "modes_kitchen_discriminative_0.json").read_text())
    for mode in ("window", "one_pass"):
        curve = stored[mode]["validation"]
        assert [point["epochs"] for point in curve] == sorted({point["epochs"] for point in curve})
        assert [point["seconds"] for point in curve] == sorted(point["seconds"] for point in curve)
        assert curve[0]["seconds"] > 0
        assert 0 <= stored[mode]["test"]["test/segment_f1"] <= 1


@pytest.mark.slow  # nine processes
def test_one_command_runs_them_all_and_says_what_was_reached(tmp_path: Path) -> None:
    command = [sys.executable, BENCH / "all.py", "--quick", "--shape", "tiny", "--output", tmp_path]
    wide = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=wide)
    assert done.returncode == 0, done.stderr
    _, table = done.stdout.split("tiny shape on")
    assert table.count("not measured") == 0
    stored = {path.name.split("_")[0]: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert all("versions" in figures["surroundings"] for figures in stored.values())
    assert set(stored) == {"speed", "coin", "training", "labels", "length", "agreement", "steps", "pixels"}


def test_the_aims_say_what_the_stored_figures_reach(bench: Any) -> None:
    from aims import AIMS, Aim

    small = Aim("a step", "training", lambda stored: 1.0, floor=1.15, hope=1.08)
    assert [small.met(ratio) for ratio in (1.0, 1.1, 1.2)] == ["hope", "floor", "missed"]
    large = Aim("a speed", "speed", lambda stored: 1.0, floor=60, hope=140)
    assert [large.met(ratio) for ratio in (200, 60, 59)] == ["hope", "floor", "missed"]
    stored = json.loads((BENCH / "results" / "speed_1b_cpu.json").read_text())
    row = stored["frames"]["Disc"]
    found = {aim.what: aim.ratio(stored) for aim in AIMS if aim.bench == "speed"}
    assert found["one pass over published-style, Disc"] == row["one pass, chunk 512"] / row["published"]
    assert found["8 live over published-style, Disc"] == row["live, 8"]["frames_per_second"] / row["published"]
    assert found["one pass, share of the product rate, Disc"] is None  # stored before it was measured


def test_an_aim_is_not_measured_where_a_file_has_no_figure_for_it(bench: Any) -> None:
    from aims import Aim, cells_of, share_of_product

    aim = Aim("a share", "speed", share_of_product("Disc"), floor=0.8, hope=0.9)
    products = {"Disc": {"flops": 1e11, "shares": {"window, batch 8": 0.5, "one pass, chunk 512": 0.85}}}
    assert cells_of(aim, {"frames": {}})[3] == "not measured"
    found = cells_of(aim, {"products": products, "surroundings": {"commit": "abc"}})
    assert found[3:] == ("0.85", "floor", "abc")


def test_the_aims_of_live_streams_take_the_faster_way_and_the_most_streams_in_time(bench: Any) -> None:
    from aims import delay, streams_served

    rows = {
        "published": 1.0,
        "live, 1": {"frames_per_second": 250.0, "p99_ms": 5.0},
        "live, 1, compiled": {"frames_per_second": 500.0, "p99_ms": 3.0},
        "live, 256": {"frames_per_second": 6_000.0, "p99_ms": 60.0},
        "live, 1024": {"frames_per_second": 8_000.0, "p99_ms": 130.0},
    }
    stored = {"frames": {"Disc": rows}}
    assert delay(stored, "p99_ms") == 3.0
    assert streams_served(stored) == 256


def test_the_aims_of_a_gpu_are_read_from_what_its_script_stored(bench: Any) -> None:
    from aims import ON_GPU, as_speeds

    stored = as_speeds(json.loads((BENCH / "results" / "gpu_h200.json").read_text()), "1b")
    found = [round(aim.ratio(stored), 4) for aim in ON_GPU]
    assert found == [72593.0, 3.4143, 4.3975, 1024]  # 5,120 streams: 133 ms
