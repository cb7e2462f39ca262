"""Files of all formats give the classifier's scores, and say what streams keep; examples run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.cpp_extension import include_paths

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.errors import SettingError
from gad_lightning.exporting.formats import Program, format_of, write
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.export import export_classifier, export_step
from tests.classifiers.making import NAMES, make, random_frames, schema
from tests.exporting.moving import moved

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FRAMES = 16  # three seams of chunks of five


def live() -> Classifier:
    """A classifier with two tokens a frame, separators, and a slot that is told of its window."""
    given = schema(mode="one_pass", short=4, chunk=5)
    features = given.features._replace(tokens_per_frame=2)
    made = moved(
        make(
            DiscriminativeClassifier,
            schema=given._replace(features=features),
            slot=WindowMeanSlot(),
            prompt=Prompt(separator=","),
        )
    )
    task = given.tasks[0]
    made.decisions = {task.name: Decisions(task.labels, 4.0, Temperature(1.5))}
    return made


def test_the_suffix_chooses_the_format_and_has_to_fit_it() -> None:
    assert format_of(Path("a.onnx"), None) == "onnx"
    assert format_of(Path("a.pt2"), None) == "torch"
    assert format_of(Path("a.pt2"), "aoti") == "aoti"
    with pytest.raises(
        SettingError, match=r"a\.onnx does not end with \.pt2, as files of the format aoti do"
    ) as refused:
        format_of(Path("a.onnx"), "aoti")
    assert refused.value.remedy == "name it a.pt2"
    with pytest.raises(SettingError, match="format is 'tf'; there are torch, onnx, aoti"):
        format_of(Path("a.pt2"), "tf")  # type: ignore[arg-type]  # as a user may write


def test_a_program_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    program = Program(torch.nn.Linear(3, 2), {"input": torch.zeros(2, 3)}, (0,), ("logits",))

    def refuse(run: object) -> None:
        raise SettingError("It differs.", "do not keep it")

    with pytest.raises(SettingError, match="It differs"):
        write(program, {}, tmp_path / "new" / "a.pt2", "torch", refuse)
    assert not list((tmp_path / "new").iterdir())


def test_without_a_compiler_aoti_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    program = Program(torch.nn.Linear(3, 2), {"input": torch.zeros(2, 3)}, (0,), ("logits",))
    with pytest.raises(SettingError, match="AOTInductor needs a C\\+\\+ compiler"):
        write(program, {}, tmp_path / "a.pt2", "aoti", lambda run: None)


@pytest.mark.slow  # traces twice
def test_the_onnx_step_runs_by_the_example_as_the_detector_does(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    classifier, frames = live(), random_frames(1, FRAMES, tokens=2)
    detector = OnlineDetector(classifier)
    expected = torch.cat([detector.push(frame[None]).scores for frame in frames[0]])
    wanted = torch.softmax(expected / 1.5, 1)
    assert export_step(classifier, tmp_path / "step.onnx", steps=2) < 1e-4
    np.save(tmp_path / "features.npy", frames[0].numpy())
    words = [
        sys.executable,
        str(EXAMPLES / "step_onnx.py"),
        str(tmp_path / "step.onnx"),
        str(tmp_path / "features.npy"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[1] for row in rows] == [NAMES[label] for label in wanted.argmax(1)]
    assert [float(row[2]) for row in rows] == pytest.approx(wanted.amax(1).tolist(), abs=6e-4)
    check_onnx_for_many_streams(tmp_path / "step.onnx", classifier)


def check_onnx_for_many_streams(path: Path, classifier: Classifier) -> None:
    """Five streams at once, by the classes of the example, give a detector's scores to 1e-4."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        from step_onnx import Streams
    finally:
        sys.path.remove(str(EXAMPLES))
    frames = random_frames(5, FRAMES, seed=3, tokens=2)
    streams, detector = Streams(str(path), 5), OnlineDetector(classifier, 5)
    for time in range(FRAMES):
        found, wanted = streams.push(frames[:, time].numpy()), detector.push(frames[:, time]).scores
        assert np.allclose(found, wanted, atol=1e-4)
    assert streams.about["classes"] == list(NAMES)


@pytest.mark.slow
def test_whole_windows_as_onnx_take_any_batch_and_length(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    classifier = live()
    tried = [random_frames(size, length, tokens=2) for size, length in ((1, 4), (5, 2), (2, 1))]
    with torch.no_grad():
        expected = [classifier(frames) for frames in tried]
    assert export_classifier(classifier, tmp_path / "x.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    for frames, scores in zip(tried, expected, strict=True):
        (found,) = session.run(None, {"frames": frames.numpy()})
        assert np.allclose(found, scores, atol=1e-4)
    about = json.loads(session.get_modelmeta().custom_metadata_map["gad_lightning.json"])
    assert (about["most_frames"], about["temperature"]) == (4, 1.5)


@pytest.mark.slow
def test_the_step_of_torch_export_takes_any_number_of_streams(tmp_path: Path) -> None:
    classifier = live()
    assert export_step(classifier, tmp_path / "x.pt2", steps=2) < 1e-4
    about = {"gad_lightning.json": ""}
    program = torch.export.load(tmp_path / "x.pt2", extra_files=about).module()
    keeps = json.loads(about["gad_lightning.json"])["keeps"]
    for size in (1, 4):
        frames, detector = random_frames(size, FRAMES, tokens=2), OnlineDetector(classifier, size)
        kept = [torch.zeros(size, *one["shape"]) for one in keeps]
        for time in range(FRAMES):
            found, *kept = program(frames[:, time], torch.full((size,), time), *kept)
            assert torch.allclose(found, detector.push(frames[:, time]).scores, atol=1e-4)


@pytest.mark.slow  # compiles two programs
def test_the_compiled_step_runs_in_cpp_alone_as_the_detector_does(tmp_path: Path) -> None:
    classifier, frames = live(), random_frames(1, FRAMES, tokens=2)
    detector = OnlineDetector(classifier)
    expected = torch.cat([detector.push(frame[None]).scores for frame in frames[0]])
    assert export_step(classifier, tmp_path / "step.pt2", format="aoti", steps=2) < 1e-4
    frames[0].numpy().astype("<f4").tofile(tmp_path / "features.f32")
    libraries = Path(torch.__file__).parent / "lib"
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    built = subprocess.run(
        ["g++", "-std=c++20", abi, str(EXAMPLES / "step_aoti.cpp"), "-o", str(tmp_path / "run"),
         *(f"-I{path}" for path in include_paths()), f"-L{libraries}", f"-Wl,-rpath,{libraries}",
         "-ltorch", "-ltorch_cpu", "-lc10"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    words = [str(tmp_path / "run"), str(tmp_path / "step.pt2"), str(tmp_path / "features.f32")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[1]) for row in rows] == expected.argmax(1).tolist()
    assert [float(row[2]) for row in rows] == pytest.approx(expected.amax(1).tolist(), abs=1e-4)
