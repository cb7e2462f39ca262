"""A live stream is the same function as offline prediction in chunks."""

from __future__ import annotations

import resource
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.windows import chunk_bounds, chunk_frames, window_frames
from gad_lightning.errors import DataError, SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.video.encoders import SmallEncoder
from tests.classifiers.making import WIDTH, batch, make, random_frames, schema
from tests.streaming.colors import train_colors

KINDS = pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param(DiscriminativeClassifier, {}, id="disc"),
        pytest.param(GADClassifier, {"prompt": Prompt(separator=",")}, id="gad, separators"),
        pytest.param(GenerativeClassifier, {}, id="gen, trie"),
        pytest.param(GenerativeClassifier, {"readout": NearestReadout(max_tokens=6)}, id="gen, nearest"),
    ],
)


def offline(classifier: Classifier, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and slots of every frame of one video (F, N, D), chunk by chunk."""
    windows = classifier.schema.windows
    bounds = chunk_bounds(len(frames), windows.chunk).tolist()
    scores, slots = [], []
    for start, end in pairwise(bounds):
        shown = chunk_frames(start, end, windows.frames)
        asked = list(range(start - int(shown[0]), end - int(shown[0])))
        with torch.inference_mode():
            scored = classifier.scores(batch(frames[shown].unsqueeze(0), [asked]))
        scores.append(scored.scores)
        slots.append(scored.slot_states)
    return torch.cat(scores), torch.cat(slots)


def live(detector: OnlineDetector, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and slots of a video pushed frame by frame."""
    pushed = [detector.push(frame.unsqueeze(0), [0]) for frame in frames]
    return torch.cat([scored.scores for scored in pushed]), torch.cat([scored.slot_states for scored in pushed])


def close(first: Tensor, second: Tensor, tolerance: float) -> bool:
    """Whether two tensors of states agree, relative to the largest one."""
    return bool((first - second).abs().max() <= tolerance * second.abs().max())


@KINDS
@pytest.mark.parametrize(("window", "chunk"), [(5, 7), (5, 3), (5, 1), (1, 4)])
def test_stream_equals_chunks_across_seams(
    kind: type[Classifier], more: dict[str, Any], window: int, chunk: int
) -> None:
    classifier = make(kind, schema=schema(mode="one_pass", short=window, chunk=chunk), **more).double().eval()
    frames = random_frames(1, 30)[0].double()
    expected_scores, expected_slots = offline(classifier, frames)
    scores, slots = live(OnlineDetector(classifier), frames)
    # the input vectors are standardized in float32, whatever comes after
    assert close(slots, expected_slots, 1e-10)
    assert torch.allclose(scores.exp(), expected_scores.exp(), atol=1e-6)


def test_window_mode_stream_equals_one_window_a_query() -> None:
    settings = schema(mode="window", short=5, long=4, long_stride=2)
    classifier = make(GADClassifier, schema=settings).eval()
    frames = random_frames(1, 20)[0]
    detector = OnlineDetector(classifier)
    for end, frame in enumerate(frames, start=1):
        shown = frames[window_frames(end, settings.windows)]
        with torch.inference_mode():
            expected = classifier(shown.unsqueeze(0))
        assert torch.allclose(detector.push(frame).scores, expected, atol=1e-5)


def test_streams_start_stall_and_restart_by_themselves() -> None:
    classifier = make(GADClassifier, schema=schema(mode="one_pass", short=5, chunk=7)).eval()
    videos = random_frames(3, 25)
    alone = [live(OnlineDetector(classifier), video)[1] for video in videos]
    detector = OnlineDetector(classifier, num_streams=3)
    generator, at = torch.Generator().manual_seed(1), [0, 0, 0]
    for _ in range(40):
        ready = [s for s in range(3) if at[s] < 25 and torch.rand(1, generator=generator) < 0.6]
        if not ready:
            continue
        scored = detector.push(torch.stack([videos[s, at[s]] for s in ready]), ready)
        for row, stream in enumerate(ready):
            assert close(scored.slot_states[row], alone[stream][at[stream]], 1e-5)
            at[stream] += 1
    detector.restart([1])
    assert close(detector.push(videos[1, :1], [1]).slot_states, alone[1][:1], 1e-5)


def resident_megabytes() -> float:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@pytest.mark.slow  # 20,000 frames
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells the memory in use")
def test_memory_and_time_of_a_push_are_the_same_after_many_frames() -> None:
    classifier = make(GADClassifier, layers=1, schema=schema(mode="one_pass", short=4, chunk=8)).eval()
    old, young, frame = OnlineDetector(classifier), OnlineDetector(classifier), random_frames(1, 1)[0]
    memory = []
    for frames in (1_000, 20_000):
        while int(old.seen[0]) < frames:
            old.push(frame)
        memory.append(resident_megabytes())
    times: dict[OnlineDetector, list[float]] = {old: [], young: []}
    for _ in range(400):  # in turns: a machine that others use slows both alike
        for detector in times:
            begin = time.thread_time()
            detector.push(frame)
            times[detector].append(time.thread_time() - begin)
    assert memory[1] - memory[0] < 5
    assert statistics.median(times[old]) < 1.3 * statistics.median(times[young])


@pytest.mark.parametrize(
    ("frames", "streams", "message"),
    [
        (torch.zeros(2, WIDTH), None, "push wants frames of shape"),
        (torch.zeros(1, WIDTH + 1), None, "push wants frames of shape"),
        (torch.zeros(2, WIDTH), [0, 0], "different numbers below 1"),
        (torch.zeros(1, WIDTH), [1], "different numbers below 1"),
    ],
)
def test_bad_frames_and_streams_are_named(frames: Tensor, streams: list[int] | None, message: str) -> None:
    detector = OnlineDetector(make(GADClassifier))
    with pytest.raises(SettingError, match=message):
        detector.push(frames, streams)


@pytest.mark.parametrize("mode", ["one_pass", "window"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_frame_that_is_not_finite_is_refused_by_stream_and_leaves_no_trace(mode: Any, bad: float) -> None:
    classifier = make(GADClassifier, schema=schema(mode=mode, short=5, chunk=7))
    detector, untouched = OnlineDetector(classifier, num_streams=4), OnlineDetector(classifier, num_streams=4)
    frames = random_frames(4, 3)
    spoilt = frames[:, 1].clone()
    spoilt[1, 0, 2] = spoilt[2, 0, 0] = bad
    for pushed in (detector, untouched):
        pushed.push(frames[:, 0])
    with pytest.raises(DataError, match="features of stream 1, 3 hold NaN or infinite values"):
        detector.push(spoilt[:3], [0, 1, 3])
    assert torch.equal(detector.push(frames[:, 2]).scores, untouched.push(frames[:, 2]).scores)


def test_pictures_of_several_streams_give_the_scores_of_their_features() -> None:
    classifier, encoder = train_colors(steps=2), SmallEncoder()
    seeing, reading = OnlineDetector(classifier, 3, encoder=encoder), OnlineDetector(classifier, 3)
    generator = torch.Generator().manual_seed(0)
    for streams in ([0, 1, 2], [2, 0], [1], [0, 1, 2]):
        pictures = torch.randint(256, (len(streams), 120, 160, 3), dtype=torch.uint8, generator=generator)
        features = encoder.encode(pictures).half().float()
        assert torch.equal(seeing.push(pictures, streams).scores, reading.push(features, streams).scores)


def test_pictures_that_cannot_be_encoded_are_refused() -> None:
    classifier, pictures = train_colors(steps=1), torch.zeros(1, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(SettingError, match=r"pictures of shape \(1, 8, 8, 3\), .* no encoder.\n.*'small'"):
        OnlineDetector(classifier).push(pictures)
    with pytest.raises(SettingError, match="features of the encoder 'small', not 'small-seed1'"):
        OnlineDetector(classifier, encoder=SmallEncoder(seed=1))
    detector = OnlineDetector(classifier, encoder=SmallEncoder())
    for wrong in (pictures[0], pictures[..., :2], pictures.expand(2, -1, -1, -1)):
        with pytest.raises(SettingError, match=r"uint8 pictures of shape \(1, h, w, 3\), got"):
            detector.push(wrong)


@pytest.mark.parametrize("mode", ["one_pass", "window"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_features_of_any_precision_are_taken(mode: Any, dtype: torch.dtype) -> None:
    classifier, frames = make(GADClassifier, schema=schema(mode=mode, short=4, chunk=8)), random_frames(1, 5).half()
    detector, other = OnlineDetector(classifier), OnlineDetector(classifier)
    for moment in range(5):
        one = frames[:, moment]
        assert torch.equal(detector.push(one.to(dtype)).scores, other.push(one.float()).scores)


def test_no_stream_is_pushed_and_what_is_no_stream_is_refused() -> None:
    detector = OnlineDetector(make(GADClassifier), 2)
    nothing = detector.push(torch.zeros(0, 1, WIDTH), [])
    assert nothing.scores.shape == (0, 5)
    assert nothing.label.tolist() == detector.seen[:0].tolist() == []
    for streams in ([True, False], [-1], [2], [0.5], 7):
        with pytest.raises(SettingError, match="different numbers below 2"):
            detector.restart(streams)
    with pytest.raises(SettingError, match=r"different numbers below 2, got \[True, False\]"):
        detector.push(torch.zeros(2, 1, WIDTH), [True, False])


def test_arrays_and_lists_are_taken_as_tensors_are() -> None:
    classifier, frame = make(GADClassifier), random_frames(1, 1)[0, 0]
    expected = OnlineDetector(classifier).push(frame).scores
    row = frame[0].numpy()
    for same in (row, row.astype(np.float64), row.tolist(), [row.tolist()], [[row]], [frame[0]], row.astype(">f4")):
        assert torch.equal(OnlineDetector(classifier).push(same).scores, expected)
    with pytest.raises(SettingError, match=r"uint8 pictures of shape \(1, 8, 8, 3\), and the detector has no encoder"):
        OnlineDetector(classifier).push(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "got a NoneType"),
        ("frame.npy", "got a str"),
        (1.5, "got a float"),
        ([object()], "got a list that is not one of numbers"),
        ([[1.0], [1.0, 2.0]], "got a list that is not one of numbers"),
        (np.array(["a"] * WIDTH), "got a ndarray that is not one of numbers"),
    ],
)
def test_what_is_no_frame_is_refused_in_one_message(wrong: Any, message: str) -> None:
    detector = OnlineDetector(make(GADClassifier))
    with pytest.raises(SettingError, match=rf"push wants frames as a tensor, a NumPy array or a list, {message}"):
        detector.push(wrong)
    assert detector.seen.tolist() == [0]
