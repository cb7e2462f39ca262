"""Contexts are ranked by the slot states of a run of Disc, and bad data is named."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from gad_lightning import ContextRanking, DiscriminativeClassifier, GenerativeClassifier
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.choosing_context import ranking
from gad_lightning.classifiers.choosing_context.information import Interval
from gad_lightning.classifiers.choosing_context.ranking import ContextScore, _components, name_of, rank_contexts
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.prompts.contexts.auto import usual_contexts
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.joined import JoinedContexts
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.contexts.previous import PreviousActions
from tests.classifiers.making import make


class Label(AuxiliaryContext):
    """Writes the label once more."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """The label."""
        return [query.label]


class Parity(AuxiliaryContext):
    """Whether the frame's number is odd: noise."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """A word."""
        return ["odd" if query.frame % 2 else "even"]


class Silent(AuxiliaryContext):
    """Writes nothing."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """Nothing."""
        return []


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at fewer moments than usual."""
    monkeypatch.setattr(ranking, "MOMENTS", 120)
    monkeypatch.setattr(ranking, "COMPONENTS", 6)


@cache
def toy(videos: int = 40) -> ToyActions:
    """Toy videos, a quarter of them for validation."""
    return ToyActions(num_videos=videos, mode="one_pass")


def disc(data: ToyActions) -> DiscriminativeClassifier:
    """An untrained classifier."""
    made = make(DiscriminativeClassifier, schema=data.schema, backbone=TinyBackbone(hidden_size=16, num_layers=1))
    assert isinstance(made, DiscriminativeClassifier)
    return made


def test_a_copy_of_the_label_comes_before_noise_and_is_what_the_label_row_says() -> None:
    found = rank_contexts(disc(toy()), toy(), [Parity(), Label()])
    assert [score.name for score in found.scores] == ["Label", "Parity"]
    copy, noise = found.scores
    assert copy.score.low > 0
    assert noise.score.value < 0.05
    assert copy.told.value == pytest.approx(found.label.told.value, abs=0.02)
    assert isinstance(found.best, Label)
    assert (found.videos, found.split) == (10, "val")


def test_two_rankings_of_one_run_are_the_same_and_leave_the_classifier_as_it_was() -> None:
    classifier = disc(toy()).train()
    first, second = (rank_contexts(classifier, toy(), [Parity()]) for _ in range(2))
    assert first.scores[0].score == second.scores[0].score
    assert classifier.training


def test_where_nothing_is_clear_the_label_stays_alone() -> None:
    unclear = ContextScore(PreviousActions(), Interval(0.1, 0.0, 0.2), Interval(0.3, 0.1, 0.5))
    assert isinstance(ContextRanking((unclear,), unclear, "val", 10, 100).best, NoContext)
    clear = unclear._replace(told=Interval(0.1, 0.05, 0.2))
    assert ContextRanking((clear,), unclear, "val", 10, 100).best is clear.context


def test_a_context_that_the_data_has_no_fields_for_is_named_also_inside_others() -> None:
    for context in (Silent(), JoinedContexts([PreviousActions(), Silent()])):
        with pytest.raises(DataError, match="Silent writes nothing about any of the videos"):
            rank_contexts(disc(toy()), toy(), [context])


def test_too_few_videos_are_counted() -> None:
    with pytest.raises(DataError, match="val split of ToyActions has 4 videos, and contexts are ranked on at least 10"):
        rank_contexts(disc(toy(16)), toy(16))


def test_other_classifiers_classes_and_tasks_are_refused() -> None:
    generative = make(GenerativeClassifier, schema=toy().schema)
    with pytest.raises(SettingError, match="must be an instance of DiscriminativeClassifier"):
        rank_contexts(generative, toy())  # type: ignore[arg-type]  # a user's mistake
    with pytest.raises(SettingError, match="ToyActions has other classes"):
        rank_contexts(make(DiscriminativeClassifier), toy())  # type: ignore[arg-type]  # typed as any classifier
    with pytest.raises(SettingError, match="There is no task 3"):
        rank_contexts(disc(toy()), toy(), task=3)
    several = disc(toy())
    task = several.schema.tasks[0]
    several.schema = several.schema._replace(tasks=(task._replace(labels=task.labels._replace(multi_label=True)),))
    with pytest.raises(SettingError, match="Several labels can be true at once in the task 'action'"):
        rank_contexts(several, toy())


def test_other_windows_than_in_training_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"windows\.chunk is \d+ in the checkpoint and 16 here"):
        rank_contexts(disc(toy()), ToyActions(num_videos=40, mode="one_pass", chunk=16), [Parity()])


def test_frames_of_unknown_actions_are_left_out_and_windows_are_read_where_they_are_asked() -> None:
    data = ToyActions(num_videos=40, mode="window", short_memory=4, unknown_classes=1)
    found = rank_contexts(disc(data), data, [Parity()])
    assert found.videos == 10
    assert found.moments == 120


def test_contexts_are_named_in_short() -> None:
    assert name_of(JoinedContexts([PreviousActions(2), GoalContext()])) == "PreviousActions(2) + GoalContext"
    assert len({name_of(context) for context in usual_contexts(3, 2, goals=True)}) == 9
    assert not any("Goal" in name_of(context) for context in usual_contexts(3, 2, goals=False))


def test_components_keep_the_shape_of_the_states() -> None:
    states = np.random.default_rng(0).standard_normal((50, 40)) * np.array([10.0] + [0.1] * 39)
    found = _components(states)
    assert found.shape == (50, 6)
    assert (found**2).mean() == pytest.approx(1.0)
    assert found[:, 0].std() > 50 * found[:, 1].std()
