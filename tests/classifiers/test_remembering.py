"""What was done before is one and the same text in window mode, in one pass and live, and never the truth at test."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.remembering import ClosedSegments, PastLabels
from gad_lightning.data.toy import ToyActions
from gad_lightning.data.windows import chunk_bounds, chunk_frames, window_frames
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.base import Slot
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.readouts.likelihood import LikelihoodReadout
from gad_lightning.segments import cut
from gad_lightning.streaming.compiled import CompiledStreams
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.export import export_classifier
from gad_lightning.types import Predictions
from tests.classifiers.making import batch, make, random_frames, schema

SLOTS: list[type[Slot]] = [LastVisualSlot, AnchorFrameSlot, WindowMeanSlot]
FRAMES = 24
TOLERANCE = 1e-5


def close(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors of states agree in float32, relative to the largest one."""
    return bool((first - second).abs().max() <= TOLERANCE * second.abs().max())


DIRECTIONS = random_frames(1, 5, 9)[0]  # of each class


def made_with(kind: type[Classifier], slot: Slot | None, more: Mapping[str, Any], **windows: Any) -> Classifier:
    """A classifier with a memory of three segments."""
    given = {} if slot is None else {"slot": slot}
    memory, prompt = VerbalizedMemory(3), Prompt(separator=",")
    return make(kind, memory=memory, schema=schema(**windows), prompt=prompt, **given, **more).eval()


@cache
def weights_of(kind: type[Classifier], slot: type[Slot] | None) -> dict[str, Tensor]:
    """Weights that tell the classes apart by their directions."""
    classifier = made_with(kind, slot and slot(), {}, mode="one_pass", short=5, chunk=12).train()
    optimizer = torch.optim.AdamW([w for w in classifier.parameters() if w.requires_grad], lr=1e-2)
    with torch.enable_grad():
        for _ in range(40):
            labels = torch.randint(5, (4, 4)).repeat_interleave(3, 1)
            asked = batch(DIRECTIONS[labels], [list(range(12))] * 4, labels.flatten())
            optimizer.zero_grad()
            torch.stack([loss.sum / loss.count for loss in classifier.losses(asked).values()]).sum().backward()
            optimizer.step()
    return classifier.state_dict()


def remembering(
    kind: type[Classifier], slot: type[Slot] | None = None, more: Mapping[str, Any] = {}, **windows: Any
) -> Classifier:
    """A trained classifier with a memory of three segments."""
    classifier = made_with(kind, slot and slot(), more, **windows)
    classifier.load_state_dict(weights_of(kind, slot))
    return classifier


def video() -> Tensor:
    """Features (F, N, D) of segments of three frames and much noise."""
    labels = torch.randint(5, (FRAMES,), generator=torch.Generator().manual_seed(2)).repeat_interleave(3)[:FRAMES]
    return DIRECTIONS[labels] + random_frames(1, FRAMES)[0]


def closed_before(labels: list[int], frame: int, kept: int) -> Tensor:
    """The definition, word for word: segments whose end has been seen by a frame before ``frame``."""
    over = [part.label for part in cut(labels[:frame], skip=[0]) if part.end < frame]
    return torch.tensor([([-1] * kept + over)[-kept:]])


def given_labels(classifier: Classifier, frames: Tensor, labels: list[int]) -> Tensor:
    """Slot states of every frame, window by window or chunk by chunk, where what was before is given."""
    windows, states = classifier.schema.windows, []
    if windows.mode == "window":
        samples = [(window_frames(end, windows), [end - 1]) for end in range(1, len(frames) + 1)]
    else:
        cuts = pairwise(chunk_bounds(len(frames), windows.chunk).tolist())
        samples = [(chunk_frames(start, end, windows.frames), list(range(start, end))) for start, end in cuts]
    for shown, asked in samples:
        first = int(shown[0])
        local = [shown.tolist().index(frame) for frame in asked]
        sample = batch(frames[shown].unsqueeze(0), [local])._replace(
            first_frame=torch.tensor([first]), remembered=closed_before(labels, first, 3)
        )
        states.append(classifier.scores(sample).slot_states)
    return torch.cat(states)


def live(classifier: Classifier, frames: Tensor) -> tuple[Tensor, list[int]]:
    """Slot states and labels of a video pushed frame by frame."""
    detector = OnlineDetector(classifier)
    seen = [detector.push(frame.unsqueeze(0), [0]) for frame in frames]
    return torch.cat([one.slot_states for one in seen]), [int(one.label) for one in seen]


ONE_PASS, WINDOW = {"mode": "one_pass", "short": 4, "chunk": 5}, {"mode": "window", "short": 5}
MODES: list[dict[str, Any]] = [
    ONE_PASS,
    WINDOW,
    {"mode": "one_pass", "short": 7, "chunk": 4},
    {"mode": "one_pass", "short": 1, "chunk": 3},
    {"mode": "window", "short": 4, "long": 4, "long_stride": 2},
]
CASES = [
    *((DiscriminativeClassifier, None, {}, windows) for windows in MODES),
    *((DiscriminativeClassifier, slot, {}, ONE_PASS) for slot in SLOTS),
    *((DiscriminativeClassifier, slot, {}, WINDOW) for slot in SLOTS),
    (GADClassifier, None, {"context": PreviousActions()}, ONE_PASS),
    pytest.param(GenerativeClassifier, None, {}, WINDOW, marks=pytest.mark.slow),
    (GenerativeClassifier, None, {"readout": LikelihoodReadout()}, ONE_PASS),
]


@pytest.mark.parametrize(("kind", "slot", "more", "windows"), CASES)
@torch.no_grad()
def test_live_is_what_whole_videos_are_and_what_given_labels_say(
    kind: type[Classifier], slot: type[Slot] | None, more: dict[str, Any], windows: dict[str, Any]
) -> None:
    classifier, frames = remembering(kind, slot, more, **windows), video()
    states, labels = live(classifier, frames)
    assert len(cut(labels, skip=[0])) > 4  # otherwise there was nothing to remember
    assert close(classifier.slot_states(frames.numpy()), states)
    assert close(given_labels(classifier, frames, labels), states)
    assert not close(given_labels(classifier, frames, [0] * FRAMES), states)  # what is remembered matters


@pytest.mark.parametrize("slot", [None, *SLOTS])
@torch.no_grad()
def test_one_chunk_a_query_is_a_window_of_its_own(slot: type[Slot] | None) -> None:
    one, window = (
        remembering(DiscriminativeClassifier, slot, mode=mode, short=5, chunk=1) for mode in ("one_pass", "window")
    )
    frames, labels = video(), [(frame // 3) % 5 for frame in range(FRAMES)]
    assert close(given_labels(one, frames, labels), given_labels(window, frames, labels))


@torch.no_grad()
def test_batches_of_any_size_and_videos_side_by_side_give_the_same() -> None:
    classifier, frames = remembering(DiscriminativeClassifier, **ONE_PASS), video()
    alone = classifier.detect(frames.numpy(), batch_size=1).scores
    assert torch.allclose(classifier.detect(frames.numpy(), batch_size=3).scores, alone, atol=1e-5)
    detector = OnlineDetector(classifier, num_streams=2)
    second = [
        detector.push(torch.stack([frame, other]))[5][1] for frame, other in zip(frames.flip(0), frames, strict=True)
    ]
    assert torch.allclose(torch.stack(second), alone, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("windows", [ONE_PASS, WINDOW], ids=["one_pass", "window"])
def test_streams_are_handed_over_and_start_anew_with_their_memories(windows: dict[str, Any]) -> None:
    classifier, frames = remembering(DiscriminativeClassifier, **windows), video()
    whole, _ = live(classifier, frames)
    detector = OnlineDetector(classifier, num_streams=2)
    sizes = {name: part.shape for name, part in detector.state_dict().items()}
    for frame in frames[:14]:
        detector.push(torch.stack([frame, frame]))
    detector.restart([1])
    for frame in frames[:11]:
        detector.push(frame.unsqueeze(0), [1])
    other = OnlineDetector(classifier, num_streams=2)
    other.load_state_dict(detector.state_dict())
    states = [other.push(frame.unsqueeze(0), [1]).slot_states for frame in frames[11:]]
    assert close(torch.cat(states), whole[11:])
    assert {name: part.shape for name, part in other.state_dict().items()} == sizes  # it does not grow


@pytest.mark.slow
@torch.no_grad()
def test_compiled_streams_remember_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledStreams, "backend", "eager")
    classifier, frames = remembering(DiscriminativeClassifier, **ONE_PASS), video()
    detector = OnlineDetector(classifier, compiled=True)
    states = torch.cat([detector.push(frame.unsqueeze(0)).slot_states for frame in frames])
    assert close(states, live(classifier, frames)[0])


def test_segments_are_those_of_the_definition() -> None:
    labels = torch.randint(4, (2, 60), generator=torch.Generator().manual_seed(1))
    log, both = ClosedSegments(2, kept=3, room=6, unwritten={0}), torch.tensor([0, 1])
    for frame in range(60):
        for back in range(min(frame, 6)):
            asked = frame - back
            expected = torch.cat([closed_before(row.tolist(), asked, 3) for row in labels])
            assert torch.equal(log.before(both, torch.tensor([asked, asked])), expected), (frame, asked)
        log.add(both, torch.tensor([frame, frame]), labels[:, frame])


def in_training(replaced: float, uniform: Tensor) -> Tensor:
    """What training remembers at frame 9 of true segments 1, 2, 3 that end at 3, 8 and 9, for each drawn number."""
    classifier, count = make(DiscriminativeClassifier, memory=VerbalizedMemory(4, replaced)), len(uniform)
    asked = batch(random_frames(count, 4), [[0, 3]] * count, draw=uniform.repeat_interleave(2))
    segments = torch.tensor([[[1, 0, 3], [2, 5, 8], [3, 8, 9], [4, 9, 12], [-1, -1, -1]]]).expand(count, -1, -1)
    told = classifier.remembering_truth(asked._replace(first_frame=torch.full((count,), 9), segments=segments))
    assert told.remembered is not None
    return told.remembered


def test_training_remembers_the_true_segments_whose_end_was_seen() -> None:
    """That of class 3 is only over where the sample begins."""
    assert in_training(0.0, torch.tensor([0.3])).tolist() == [[-1, -1, 1, 2]]


def test_some_true_segments_are_replaced_by_other_actions() -> None:
    uniform = torch.arange(200) / 1000
    drawn = in_training(0.5, uniform)
    assert torch.equal(drawn, in_training(0.5, uniform))
    assert drawn[:, :2].eq(-1).all()
    for column, true in ((2, 1), (3, 2)):
        assert 0.38 < float((drawn[:, column] == true).float().mean()) < 0.62
        assert set(drawn[:, column].tolist()) == {1, 2, 3, 4}  # never the background


@torch.no_grad()
def test_the_truth_is_not_looked_at_after_training() -> None:
    classifier = remembering(DiscriminativeClassifier, **ONE_PASS)
    asked = [list(range(5)), list(range(3, 8)), list(range(3, 8))]
    samples = batch(random_frames(3, 8), asked)._replace(
        frame_counts=torch.tensor([5, 8, 8]),
        first_frame=torch.tensor([0, 2, 7]),
        video=torch.zeros(15, dtype=torch.int64),
    )
    samples = samples._replace(frame=samples.anchor + samples.first_frame[samples.sample])
    others = samples._replace(segments=samples.segments.flip(1), label=samples.label + 1)
    found = [classifier.scores_after(PastLabels(), given).scores for given in (samples, others)]
    assert torch.equal(found[0], found[1])


def test_a_run_validates_tests_and_predicts_by_its_own_labels(tmp_path: Path) -> None:
    data = ToyActions(num_videos=8, mode="one_pass", short_memory=8, chunk=8, batch_size=2)
    classifier = make(DiscriminativeClassifier, memory=VerbalizedMemory(4), schema=data.schema)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", enable_checkpointing=False, **quiet)
    trainer.fit(classifier, data)
    found = trainer.predict(classifier, data)
    assert found is not None
    parts = [part for part in found if isinstance(part, Predictions)]
    scores, video = (torch.cat([getattr(part, name) for part in parts]) for name in ("scores", "video"))
    for number, record in enumerate(data.videos("test"), data.first_video("test")):
        rows = record.frames.rows(np.arange(record.frames.num_frames))
        assert torch.allclose(classifier.detect(rows).scores, scores[video == number], atol=1e-5)


def test_a_checkpoint_keeps_its_memory_and_one_without_is_another(tmp_path: Path) -> None:
    classifier = remembering(GADClassifier, **ONE_PASS)
    classifier.save_pretrained(tmp_path / "saved")
    again = Classifier.from_pretrained(tmp_path / "saved")
    assert again.memory is not None
    assert again.memory.segments == 3
    frames = video().numpy()
    assert torch.allclose(again.detect(frames).scores, classifier.detect(frames).scores, atol=1e-6)
    plain = make(GADClassifier, schema=schema(**ONE_PASS), prompt=Prompt(separator=","))
    plain.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(CheckpointError, match="memory"):
        plain.check_settings_of(classifier.about())
    before = plain.about()
    before["spec"]["init_args"].pop("memory", None)  # as in checkpoints of earlier versions
    plain.check_settings_of(before)


def test_what_cannot_be_remembered_is_refused(tmp_path: Path) -> None:
    classifier = remembering(DiscriminativeClassifier, **ONE_PASS)
    late = batch(random_frames(1, 4), [[3]])._replace(first_frame=torch.tensor([2]), frame=torch.tensor([5]))
    with pytest.raises(SettingError, match=r"begins at frame 2 (.|\n)*model\.memory(.|\n)*detect, predict or test"):
        classifier.scores(late)
    with pytest.raises(SettingError, match=r"number 0 goes on at frame 2, (.|\n)*up to frame 0(.|\n)*devices=1"):
        classifier.scores_after(PastLabels(), late)
    gap = batch(random_frames(1, 4), [[3]])
    with pytest.raises(SettingError, match="ask at every frame"):
        classifier.scores_after(PastLabels(), gap)
    with pytest.raises(SettingError, match=r"model\.memory cannot be exported"):
        export_classifier(classifier, tmp_path / "classifier.pt2")
