"""Similar histories, similar states: the loss in full, and that it stays out of prediction."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.kernels.alignment import AlignmentKernel
from gad_lightning.kernels.base import SequenceKernel, Slices
from gad_lightning.kernels.label_match import LabelMatch
from gad_lightning.kernels.mean_similarity import MeanSimilarity
from gad_lightning.objectives.slices import ActionSlices, FrameSlices
from gad_lightning.objectives.structure_induced import StructureInduced
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED, Batch, Tokens
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

LABELS = torch.tensor([1, 3, 0, IGNORED, 3, 0])


class Known(SequenceKernel):
    """Gives a matrix that it was told."""

    def compare(self, a: Slices, b: Slices) -> Tensor:
        """The matrix."""
        return self.matrix

    matrix: Tensor


class Positive(StructureInduced):
    """Its cosines are never below 0."""

    def embed(self, states: Tensor) -> Tensor:
        """No projector."""
        return normalize(states.float().exp(), dim=-1)


def asked(order: list[int] | None = None) -> Batch:
    """Asked at 1, 3 and 7 of each of two videos; one query is not scored."""
    given = batch(random_frames(2, 8), [[1, 3, 7]] * 2, LABELS)
    if order is None:
        return given
    columns = ("sample", "anchor", "frame", "horizon", "task", "label", "video", "query_index", "uniform")
    return given._replace(**{name: getattr(given, name)[order] for name in columns})


def with_structure(objective: StructureInduced, **more: Any) -> Any:
    """A discriminative classifier that has this objective."""
    return make(DiscriminativeClassifier, objectives=[objective], **more)


def loss_of(objective: StructureInduced, given: Batch | None = None) -> Any:
    """Its loss in a classifier."""
    return with_structure(objective).losses(asked() if given is None else given)["structure"]


@pytest.mark.parametrize("kernel", [AlignmentKernel(), MeanSimilarity(), LabelMatch()], ids=lambda k: type(k).__name__)
@pytest.mark.parametrize("reduction", ["paper", "mean"])
def test_it_equals_a_loop_over_all_pairs(kernel: SequenceKernel, reduction: Any) -> None:
    objective = StructureInduced(kernel, reduction=reduction)
    classifier = with_structure(objective)
    loss = classifier.losses(asked())["structure"]
    scored = LABELS != IGNORED
    states = classifier.scores(asked()).slot_states[scored]
    slices = objective.slices.slices(asked().asking(scored))
    embedded, total = objective.embed(states), 0.0
    for i in range(5):
        for j in range(5):
            one, other = slices.at(torch.tensor([i])), slices.at(torch.tensor([j]))
            total += float(embedded[i] @ embedded[j] - kernel(one, other)) ** 2
    assert float(loss.count) == 5
    assert float(loss.sum) == pytest.approx(total / (5 if reduction == "mean" else 1), rel=1e-3)


def test_states_that_have_the_wanted_cosines_lose_nothing() -> None:
    kernel = Known()
    classifier = with_structure(Positive(kernel))
    embedded = Positive().embed(classifier.scores(asked()).slot_states[LABELS != IGNORED])
    kernel.matrix = embedded @ embedded.T
    assert float(classifier.losses(asked())["structure"].sum.detach()) == pytest.approx(0.0, abs=1e-9)


def test_the_order_of_the_queries_changes_nothing() -> None:
    mixed = loss_of(StructureInduced(), asked([4, 2, 0, 5, 3, 1]))
    assert float(mixed.sum) == pytest.approx(float(loss_of(StructureInduced()).sum), rel=1e-5)


def test_one_segment_can_be_one_sample() -> None:
    objective = StructureInduced(same_sample=1.0)
    with_structure(objective)
    close = batch(random_frames(1, 8), [[0, 1, 2]], torch.tensor([1, 0, 3]))  # two labels within one segment
    slices = objective.slices.slices(close)
    assert objective.targets(slices, slices)[0, 1] == 1
    assert objective.targets(slices, slices)[0, 2] < 1
    objective.same_sample = None
    assert objective.targets(slices, slices)[0, 1] < 1


@pytest.mark.parametrize("source", [ActionSlices(), ActionSlices("apart"), FrameSlices()])
def test_it_trains_the_model_and_its_projector(source: Any) -> None:
    objective = StructureInduced(slices=source)
    classifier = with_structure(objective)
    given = asked()
    frames = given.frames.clone().requires_grad_()
    classifier.losses(given._replace(frames=frames))["structure"].sum.backward()
    assert objective.projector[0].weight.grad.abs().sum() > 0
    assert classifier.backbone.new_tokens.input.grad.abs().sum() > 0
    assert classifier.heads[0].project.weight.grad is None
    assert frames.grad is not None


def test_it_is_finite_in_half_precision() -> None:
    classifier = with_structure(StructureInduced())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = classifier.losses(asked())["structure"]
    assert loss.sum.dtype == torch.float32
    assert torch.isfinite(loss.sum)


def test_prediction_runs_neither_kernel_nor_projector() -> None:
    classifier = with_structure(StructureInduced(Known()))  # which fails if it is asked
    plain = make(DiscriminativeClassifier)
    plain.load_state_dict({n: w for n, w in classifier.state_dict().items() if not n.startswith("objectives")})
    frames = random_frames(2, 8)
    assert torch.equal(classifier.eval()(frames), plain.eval()(frames))
    with pytest.raises(AttributeError, match="matrix"):
        classifier.losses(asked())


def test_it_stands_beside_written_answers_and_takes_its_share() -> None:
    classifier: Any = make(GADClassifier, objectives=[StructureInduced(fraction=0.5, weight=0.25)])
    given = asked()._replace(uniform=torch.tensor([0.1, 0.9, 0.2, 0.1, 0.7, 0.4]))
    losses = classifier.losses(given)
    assert set(losses) == {"classification", "generation", "structure"}
    assert losses["structure"].count == 3
    several = make(GADClassifier, objectives=[StructureInduced()], schema=schema(mode="one_pass"))
    assert several.losses(given)["structure"].count == 1  # type: ignore[attr-defined]  # one in eight


def test_queries_of_tasks_with_other_classes_are_left_out() -> None:
    tasks = (Task("action", LabelSet(NAMES, 0)), Task("goal", LabelSet(("tea", "coffee"), None), per_frame=False))
    classifier = with_structure(
        StructureInduced(), schema=DataSchema(tasks, ("tea",), schema().features, schema().windows)
    )
    given = asked()._replace(task=torch.tensor([0, 0, 0, 1, 1, 1]), label=torch.tensor([1, 3, 0, 1, 1, 1]))
    assert classifier.losses(given)["structure"].count == 3


def test_no_query_at_all_is_no_loss() -> None:
    loss = loss_of(StructureInduced(), asked()._replace(label=torch.full((6,), IGNORED)))
    assert float(loss.sum) == float(loss.count) == 0
    loss.sum.backward()


def test_a_checkpoint_has_its_weights_and_settings() -> None:
    objective = StructureInduced(AlignmentKernel(0.8, single_slice="cosine"), FrameSlices(4), 16, 1.0, "mean", 0.5, 0.1)
    classifier = with_structure(objective)
    checkpoint: dict[str, Any] = {}
    classifier.on_save_checkpoint(checkpoint)
    again: Any = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    found = again.objectives[0]
    assert found.spec() == objective.spec()
    for name, weight in classifier.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.0}, "fraction is a part of the queries"),
        ({"same_sample": 2.0}, r"same_sample is a cosine in \[0, 1\]"),
    ],
)
def test_settings_that_mean_nothing_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        StructureInduced(**arguments)  # type: ignore[arg-type]  # one of two numbers


def test_tokens_have_nothing_more_for_it() -> None:
    plain: Any = make(DiscriminativeClassifier)
    tokens = [classifier.render(asked()) for classifier in (plain, with_structure(StructureInduced()))]
    assert all(isinstance(found, Tokens) for found in tokens)
    assert torch.equal(tokens[0].ids, tokens[1].ids)
