"""Every slot is one and the same function in window mode, in one pass, live, exported and out of a checkpoint."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn

from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.windows import chunk_bounds, chunk_frames, window_frames
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.base import Slot
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.prompts.slots.learned import LearnedSlot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.schema import FeatureSpec
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.export import export_classifier
from tests.classifiers.making import batch, make, random_frames, schema

SLOTS = pytest.mark.parametrize(
    "slot", [LearnedSlot, LastVisualSlot, AnchorFrameSlot, WindowMeanSlot], ids=lambda kind: kind.__name__
)
TOLD = pytest.mark.parametrize("slot", [AnchorFrameSlot, WindowMeanSlot], ids=lambda kind: kind.__name__)
KINDS = pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier], ids=["disc", "gad"])
TOLERANCE = 1e-5
FRAMES = 17


def close(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors of states agree in float32, relative to the largest one."""
    return bool((first - second).abs().max() <= TOLERANCE * second.abs().max())


def in_chunks(classifier: Classifier, frames: Tensor) -> Tensor:
    """Slot states of every frame of one video (F, N, D), chunk by chunk."""
    windows, states = classifier.schema.windows, []
    for start, end in pairwise(chunk_bounds(len(frames), windows.chunk).tolist()):
        shown = chunk_frames(start, end, windows.frames)
        asked = list(range(start - int(shown[0]), end - int(shown[0])))
        states.append(classifier.scores(batch(frames[shown].unsqueeze(0), [asked])).slot_states)
    return torch.cat(states)


def live(classifier: Classifier, frames: Tensor) -> Tensor:
    """Slot states of a video pushed frame by frame."""
    detector = OnlineDetector(classifier)
    return torch.cat([detector.push(frame.unsqueeze(0), [0]).slot_states for frame in frames])


@SLOTS
@KINDS
@pytest.mark.parametrize("window", [1, 5])
@torch.no_grad()
def test_one_pass_is_what_is_seen_live(kind: type[Classifier], slot: type[Slot], window: int) -> None:
    windows = schema(mode="one_pass", short=window, chunk=4)
    classifier = make(kind, slot=slot(), schema=windows, prompt=Prompt(separator=",")).eval()
    frames = random_frames(1, FRAMES)[0]
    assert close(live(classifier, frames), in_chunks(classifier, frames))


@SLOTS
@KINDS
@torch.no_grad()
def test_one_chunk_a_query_is_a_window_of_its_own(kind: type[Classifier], slot: type[Slot]) -> None:
    """With one decoder layer a chunk of one frame and its window are the same function."""
    one, window = (
        make(kind, layers=1, slot=slot(), schema=schema(mode=mode, short=5, chunk=1)).eval()
        for mode in ("one_pass", "window")
    )
    frames = random_frames(1, FRAMES)[0]
    for end in range(1, FRAMES + 1):
        shown = frames[max(0, end - 5) : end].unsqueeze(0)
        states = window.scores(batch(shown, [[shown.shape[1] - 1]])).slot_states
        assert close(in_chunks(one, frames[:end])[-1:], states), end


@SLOTS
@KINDS
@torch.no_grad()
def test_window_mode_with_long_memory_is_what_is_seen_live(kind: type[Classifier], slot: type[Slot]) -> None:
    settings = schema(mode="window", short=5, long=4, long_stride=2)
    classifier = make(kind, slot=slot(), schema=settings).eval()
    frames = random_frames(1, FRAMES)[0]
    states = live(classifier, frames)
    for end in range(1, FRAMES + 1):
        shown = frames[window_frames(end, settings.windows)].unsqueeze(0)
        expected = classifier.scores(batch(shown, [[shown.shape[1] - 1]])).slot_states
        assert close(states[end - 1 : end], expected), end


@TOLD
@torch.no_grad()
def test_the_slot_is_told_the_mean_of_exactly_what_it_sees(slot: type[Slot]) -> None:
    """The tokens of a frame count as their mean, and rows that are packed keep their frames."""
    windows = schema(mode="one_pass", short=3, chunk=20)
    several = windows._replace(features=FeatureSpec("test", 4.0, 6, 2))
    classifier = make(DiscriminativeClassifier, slot=slot(), schema=several).eval()
    seen: list[Tensor] = []
    classifier.backbone.decoder.register_forward_pre_hook(
        lambda _, args, given: seen.append(given["inputs_embeds"]), with_kwargs=True
    )
    frames, asked = random_frames(3, 20, tokens=2), [[0, 4, 19], [2], [5]]
    given = batch(frames, asked)._replace(frame_counts=torch.tensor([20, 3, 6]))
    classifier.scores(given)
    tokens = classifier.backbone.place(classifier.render(given), packed=True)
    assert len(tokens.ids) < 3  # short samples share a row
    slots, vector = tokens.at_slots(seen[0]), classifier.backbone.new_tokens.input
    mapped = classifier.backbone.connector(classifier.frames(given).flatten(0, 2)).view(3, 20, 2, -1)
    reach = classifier.slot_reach
    for state, sample, anchor in zip(slots, given.sample.tolist(), given.anchor.tolist(), strict=True):
        expected = mapped[sample, max(0, anchor + 1 - reach) : anchor + 1].flatten(0, 1).mean(0)
        assert torch.allclose(state - vector[0], expected, atol=1e-6)


@TOLD
@KINDS
def test_training_reaches_learned_vector_and_connector_through_the_slot(
    kind: type[Classifier], slot: type[Slot]
) -> None:
    classifier = make(kind, slot=slot(), schema=schema(mode="one_pass", short=4, chunk=8))
    asked = batch(random_frames(2, 8), [[1, 5], [7]], torch.tensor([1, 2, 3]))
    torch.stack([loss.sum for loss in classifier.losses(asked).values()]).sum().backward()
    for weight in (classifier.backbone.new_tokens.input, *classifier.backbone.connector.parameters()):
        assert weight.grad is not None
        assert float(weight.grad.abs().sum()) > 0


@SLOTS
@torch.no_grad()
def test_a_saved_classifier_is_made_again_with_its_slot(slot: type[Slot], tmp_path: Path) -> None:
    classifier, frames = make(GADClassifier, slot=slot()).eval(), random_frames(2, 6)
    classifier.save_pretrained(tmp_path / "saved")
    again = Classifier.from_pretrained(tmp_path / "saved")
    assert type(again.slot) is slot
    assert torch.equal(again(frames), classifier(frames))


@pytest.mark.slow
@SLOTS
def test_the_exported_program_has_the_slot(slot: type[Slot], tmp_path: Path) -> None:
    """Traces the whole decoder, which takes several seconds."""
    windows = schema(mode="one_pass", short=5, chunk=4)
    classifier = make(GADClassifier, slot=slot(), schema=windows, prompt=Prompt(separator=","))
    assert export_classifier(classifier, tmp_path / "classifier.pt2") < TOLERANCE


@TOLD
@torch.no_grad()
def test_streams_go_on_and_start_anew_with_what_the_slot_was_told(slot: type[Slot]) -> None:
    windows = schema(mode="one_pass", short=5, chunk=4)
    classifier = make(DiscriminativeClassifier, slot=slot(), schema=windows).eval()
    first, second = random_frames(2, 12)
    whole = live(classifier, second)
    detector = OnlineDetector(classifier, num_streams=2)
    for frame in first[:9]:
        detector.push(torch.stack([frame, frame]))
    detector.restart([1])
    for frame in second[:6]:
        detector.push(frame.unsqueeze(0), [1])
    other = OnlineDetector(classifier, num_streams=2)
    other.load_state_dict(detector.state_dict())
    states = torch.cat([other.push(frame.unsqueeze(0), [1]).slot_states for frame in second[6:]])
    assert close(states, whole[6:])


def test_another_slot_is_another_setting_of_a_checkpoint() -> None:
    stored = make(GADClassifier, slot=AnchorFrameSlot()).about()
    with pytest.raises(CheckpointError, match=r"slot is 'gad_lightning\.AnchorFrameSlot' in the checkpoint"):
        trained_under(make(GADClassifier), stored)
    before = make(GADClassifier).about()
    before["spec"]["init_args"].pop("slot", None)  # as in checkpoints of earlier versions
    trained_under(make(GADClassifier, slot=LearnedSlot()), before)


def trained_under(classifier: Classifier, stored: dict[str, Any]) -> None:
    """Compare settings as an evaluation of a checkpoint does."""
    classifier.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    classifier.check_settings_of(stored)


def test_a_slot_that_cannot_be_told_anything_is_refused() -> None:
    with pytest.raises(SettingError, match=r"slot is AnchorFrameSlot.*prompt\.opener is empty(.|\n)*LastVisualSlot"):
        make(GADClassifier, slot=AnchorFrameSlot(), prompt=Prompt(opener=""))
    with pytest.raises(
        SettingError, match=r"slot is WindowMeanSlot, and with order: generative_first(.|\n)*LearnedSlot"
    ):
        make(OrderedGADClassifier, order="generative_first", slot=WindowMeanSlot(), context=PreviousActions())


class GatedSlot(Slot):
    """A slot of a user, which learns how much of its frame it takes."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(()))

    def reach(self, window: int) -> int:
        """The asked frame."""
        return 1

    def shown(self, visual: Tensor, sample: Tensor, anchor: Tensor, window: int) -> Tensor:
        """As much as the gate lets through."""
        return self.gate * visual[sample, anchor]


def test_a_slot_of_ones_own_is_trained_and_saved(tmp_path: Path) -> None:
    classifier, plain = (make(DiscriminativeClassifier, slot=kind()).eval() for kind in (GatedSlot, LearnedSlot))
    frames = random_frames(1, 4)
    assert torch.equal(classifier(frames), plain(frames))  # the gate is shut
    classifier.losses(batch(frames, [[3]]))["classification"].sum.backward()
    assert float(classifier.slot.gate.grad.abs()) > 0
    assert "slot.gate" in classifier.trained_state()
