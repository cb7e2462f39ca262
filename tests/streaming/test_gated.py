"""Whatever a gated stream reads whole equals the stream without a gate, to the bit where arithmetic allows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot
from gad_lightning.prompts.slots.window_mean import WindowMeanSlot
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gated import GatedStreams
from gad_lightning.streaming.gates.base import Gate, Glimpse
from gad_lightning.streaming.gates.every_nth import EveryNth
from tests.classifiers.making import make, random_frames, schema

ONE_PASS = {"mode": "one_pass", "short": 5, "chunk": 7}


class AtRandom(Gate):
    """Opens for three frames in ten, which no other frame tells."""

    def __init__(self, layers: int, longest_wait: float = 2.0) -> None:
        super().__init__(layers, longest_wait)
        self.dice = torch.Generator().manual_seed(1)

    def forward(self, seen: Glimpse) -> Tensor:
        return torch.rand(len(seen.waited), generator=self.dice) < 0.3


def streams_of(detector: OnlineDetector) -> GatedStreams:
    """The streams of a detector with a gate."""
    assert isinstance(detector.streams, GatedStreams)
    return detector.streams


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param(DiscriminativeClassifier, {}, id="disc"),
        pytest.param(GADClassifier, {"prompt": Prompt(separator=",")}, id="gad, separators"),
        pytest.param(GADClassifier, {"slot": WindowMeanSlot()}, id="gad, told of the window"),
        pytest.param(GADClassifier, {"slot": AnchorFrameSlot()}, id="gad, the frame is the slot"),
        pytest.param(GenerativeClassifier, {}, id="gen"),
    ],
)
def test_what_is_read_whole_equals_the_stream_without_a_gate(
    kind: type[Classifier], more: dict[str, object], layers: int
) -> None:
    classifier = make(kind, layers=3, schema=schema(**ONE_PASS), **more).double()
    frames = random_frames(3, 30).double()  # four chunks, three seams
    plain, gated = OnlineDetector(classifier, 3), OnlineDetector(classifier, 3, gate=AtRandom(layers))
    stands = torch.zeros(3, 5, dtype=torch.float64)
    compared = 0
    for moment in range(30):
        chosen = [0, 1, 2] if moment % 4 else [0, 2]  # the second stream misses some
        wanted, found = plain.push(frames[chosen, moment], chosen), gated.push(frames[chosen, moment], chosen)
        whole = streams_of(gated).waited[chosen] == 0
        compared += int(whole.sum())
        assert torch.allclose(found.scores[whole].exp(), wanted.scores[whole].exp(), rtol=0, atol=1e-6)
        assert torch.allclose(found.slot_states[whole].double(), wanted.slot_states[whole], atol=1e-5)
        assert torch.equal(found.scores[~whole].double(), stands[chosen][~whole])  # the last label stands
        stands[chosen] = found.scores.double()
    looked = 3 * 30 - 8
    assert 0.25 * looked < compared < 0.6 * looked
    assert gated.whole_share == compared / looked
    assert plain.whole_share is None


def test_no_frame_waits_longer_than_is_stated_and_a_stream_begins_with_a_label() -> None:
    classifier = make(DiscriminativeClassifier, layers=3, schema=schema(**ONE_PASS))
    detector = OnlineDetector(classifier, gate=EveryNth(1000, longest_wait=1.5))  # six frames at 4 fps
    opened = []
    for moment, frame in enumerate(random_frames(1, 20)[0]):
        detector.push(frame.unsqueeze(0))
        opened += [moment] * (int(streams_of(detector).waited[0]) == 0)
    assert opened == [0, 6, 12, 18]
    detector.restart()
    detector.push(random_frames(1, 1)[0])
    assert int(streams_of(detector).waited[0]) == 0


def test_a_gated_stream_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    classifier = make(GADClassifier, layers=3, schema=schema(**ONE_PASS))
    frames = random_frames(2, 24)
    going = OnlineDetector(classifier, 2, gate=EveryNth(4))
    for moment in range(10):
        going.push(frames[:, moment])  # two frames wait
    torch.save(going.state_dict(), tmp_path / "streams.pt")
    resumed = OnlineDetector(classifier, 2, gate=EveryNth(4))
    resumed.load_state_dict(torch.load(tmp_path / "streams.pt", weights_only=True))
    for moment in range(10, 24):
        expected, found = going.push(frames[:, moment]), resumed.push(frames[:, moment])
        assert torch.equal(found.scores, expected.scores)
        assert torch.equal(found.slot_states, expected.slot_states)


class After(EveryNth):
    """Every fourth frame, after a number of layers."""

    def __init__(self, layers: int) -> None:
        super().__init__(4)
        self.layers = layers


def test_what_waits_below_other_layers_is_refused() -> None:
    classifier = make(GADClassifier, layers=3, schema=schema(**ONE_PASS))
    saved = OnlineDetector(classifier, gate=After(1)).state_dict()
    with pytest.raises(CheckpointError, match="wait after 1 layers; the gate of this detector reads 2"):
        OnlineDetector(classifier, gate=After(2)).load_state_dict(saved)
    with pytest.raises(CheckpointError, match="saved with: num_streams, hand_over, remember_seconds, gate"):
        OnlineDetector(classifier).load_state_dict(saved)


class Wrong(Gate):
    """Gives what is no answer."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, seen: Glimpse) -> Tensor:
        return self.answer  # type: ignore[return-value]  # that is what is tested


@pytest.mark.parametrize(
    ("answer", "told"),
    [(True, "True"), (torch.ones(1), r"\(1,\) torch.float32"), (torch.ones(2) > 0, r"\(2,\) torch.bool")],
)
def test_a_gate_that_gives_no_answer_is_named(answer: object, told: str) -> None:
    classifier = make(GADClassifier, layers=3, schema=schema(**ONE_PASS))
    with pytest.raises(SettingError, match=f"1 streams were shown to Wrong, which answers {told}"):
        OnlineDetector(classifier, gate=Wrong(answer)).push(random_frames(1, 1)[0])
    with pytest.raises(SettingError, match="gate must be an instance of Gate, and is the str"):
        OnlineDetector(classifier, gate="EveryNth")  # type: ignore[arg-type]  # that is what is tested


def test_the_upper_layers_read_less_and_in_batches() -> None:
    classifier = make(DiscriminativeClassifier, layers=3, schema=schema(**ONE_PASS))
    read: list[list[int]] = [[], [], []]
    for layer, seen in zip(classifier.backbone.blocks, read, strict=True):
        layer.register_forward_hook(
            lambda _, given, made, seen=seen: seen.append(0 if torch.equal(given[0], made) else given[0].shape[1])
        )
    detector = OnlineDetector(classifier, gate=EveryNth(4))
    for seen in read:
        seen.clear()
    streams_of(detector).depth.lowest = 1
    for frame in random_frames(1, 4)[0]:
        detector.push(frame.unsqueeze(0))
    detector.push(random_frames(1, 1)[0])  # the fifth frame: four are read at once
    worked = [[length for length in seen if length] for seen in read]
    assert [len(seen) for seen in worked] == [5, 2, 2]
    assert worked[2][1] > 2 * worked[2][0]


def test_classes_that_are_added_get_labels_at_once_and_frames_stay_what_they_were() -> None:
    classifier = make(DiscriminativeClassifier, layers=3, schema=schema(**ONE_PASS)).double()
    frames = random_frames(1, 12).double()
    plain, gated = OnlineDetector(classifier), OnlineDetector(classifier, gate=EveryNth(3))
    for moment in range(12):
        if moment == 5:
            task = classifier.schema.tasks[0]
            labels = task.labels._replace(names=(*task.labels.names, "wait"))
            classifier.schema = classifier.schema._replace(tasks=(task._replace(labels=labels),))
            classifier.heads[0] = torch.nn.Linear(32, 6).double()
            gated.load_state_dict(gated.state_dict())
        wanted, found = plain.push(frames[:, moment]), gated.push(frames[:, moment])
        assert found.scores.shape == wanted.scores.shape
        whole = int(streams_of(gated).waited[0]) == 0
        assert whole == (moment in (0, 3, 5, 8, 11))
        if whole:
            assert torch.allclose(found.slot_states, wanted.slot_states, atol=1e-6)
            assert found.slot_states.dtype == wanted.slot_states.dtype


class Failing(Gate):
    """Opens at the fourth frame."""

    def forward(self, seen: Glimpse) -> Tensor:
        return seen.waited == 3


def test_a_push_that_fails_can_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make(DiscriminativeClassifier, layers=3, schema=schema(**ONE_PASS))
    frames = random_frames(2, 9)
    wanted, found = OnlineDetector(classifier, 2, gate=Failing(1)), OnlineDetector(classifier, 2, gate=Failing(1))
    for moment in range(9):
        expected = wanted.push(frames[:, moment])
        if moment == 3:
            with monkeypatch.context() as patched:
                patched.setattr(classifier, "score_branches", None)
                with pytest.raises(TypeError):
                    found.push(frames[:, moment])
        assert torch.equal(found.push(frames[:, moment]).scores, expected.scores)
    assert found.whole_share == wanted.whole_share


@pytest.mark.parametrize(
    ("windows", "more", "layers", "compiled", "message"),
    [
        pytest.param({"short": 5}, {}, 1, False, "window mode.*nothing can wait", id="window"),
        pytest.param(ONE_PASS, {}, 1, True, "exclude one another", id="compiled"),
        pytest.param(ONE_PASS, {"memory": VerbalizedMemory(2)}, 1, False, "remembers earlier labels", id="memory"),
        pytest.param(ONE_PASS, {}, 2, False, "read by 2 layers, and the language model has 2", id="layers"),
    ],
)
def test_what_cannot_be_gated_is_refused(
    windows: dict[str, object], more: dict[str, object], layers: int, compiled: bool, message: str
) -> None:
    classifier = make(GADClassifier, backbone=TinyBackbone(32, 2), schema=schema(**windows), **more)
    with pytest.raises(SettingError, match=message):
        OnlineDetector(classifier, compiled=compiled, gate=AtRandom(layers))
