"""Classes that a trained classifier is given without training: by a text, by examples, or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.classifiers.deciding import Deciding
from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.classifiers.open_world.new_names import by_name, check_new
from gad_lightning.classifiers.open_world.rejecting import Video
from gad_lightning.classifiers.open_world.stacking import best_offset
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import CheckpointError, DataError, SettingError
from gad_lightning.heads.base import ClassifierHead
from gad_lightning.heads.factor import FactorHead, Pair
from gad_lightning.heads.text import TextHead
from gad_lightning.parts import checked_part
from gad_lightning.schema import DataSchema, Task
from gad_lightning.segments import frames_between
from gad_lightning.turns import Turns
from gad_lightning.types import IGNORED, Predictions, first_class, known_class
from gad_lightning.video.encoders import Encoder

Example = tuple[Video, float, float]
"""A video and the stretch of it that shows the class, half-open, in seconds."""


class Added(NamedTuple):
    """Classes that were added in one call."""

    head: int  # that they belong to
    names: tuple[str, ...]
    pairs: tuple[Pair, ...] = ()  # verb and object of each, where the head goes by them


class AddedClasses(Deciding):
    """Mixin of the classifiers: further classes for a :class:`TextHead` or a :class:`FactorHead`.

    The other logits stay as they are.
    """

    backbone: Backbone
    turns: Turns
    added: tuple[Added, ...] = ()
    """What was added, call by call."""
    trained_tasks: tuple[Task, ...] | None = None

    @property
    def trained_schema(self) -> DataSchema:
        """The schema without the classes that were added."""
        return self.schema if self.trained_tasks is None else self.schema._replace(tasks=self.trained_tasks)

    @torch.no_grad()
    def add_classes(
        self,
        texts: Mapping[str, str] | None = None,
        examples: Mapping[str, Sequence[Example]] | None = None,
        task: int = 0,
        text_weight: float = 4.0,
        encoder: Encoder | None = None,
        factors: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Add classes behind the others, without training; every other logit stays the same to the last bit.

        With a :class:`TextHead` the row of a class with k examples is the direction of ``k * (mean of their states) +
        text_weight * (row of its text)``; an example is one state, the mean of its frames' slots. A :class:`FactorHead`
        takes pairs of verbs and objects that it knows.

        Args:
            texts: text of each class by its name; names are read as those of data, with one space between words.
            examples: stretches of videos by the name of the class they show; a class that is not in ``texts`` has its
                name as text.
            task: index into the schema's tasks; those of the same classes get them too.
            text_weight: examples that a text is worth, at least 0; 0 takes the examples alone.
            encoder: for video files; needed if the classifier's is not the built-in one.
            factors: verb and object of each class by its name, for a FactorHead.

        Raises:
            SettingError, DataError, MissingDataError: if a class cannot be added; nothing has changed then.
        """
        texts, examples, factors = by_name(texts), by_name(examples), by_name(factors)
        head, number = self._growing_head(task), self.schema.head_of_task[task]
        _check_kind(head, texts or examples, factors)
        names = list(dict.fromkeys([*texts, *examples, *factors]))
        check_new(names, self.schema.tasks[task].labels.names)
        if isinstance(head, FactorHead):
            pairs = head.check_pairs(factors)
            with self.turns:
                self._grow(Added(number, tuple(names), tuple(pairs.values())))
            return
        if not text_weight >= 0:
            raise SettingError(f"text_weight must be 0 or more, got {text_weight}.", "4 is usual")
        told = {name: texts.get(name, name) for name in names if text_weight > 0 or name not in examples}
        told = told if head.mode != "free" else {name: texts[name] for name in names if name in texts}
        rows = head.rows_of(told, partial(embed_texts, self.backbone))
        shown = {name: self._states_of(name, given, task, encoder) for name, given in examples.items()}
        made = torch.stack([head.row_for(shown.get(name), rows.get(name), text_weight) for name in names])
        with self.turns:
            self._grow(Added(number, tuple(names)))
            head.added[-1].copy_(made)
            if self.rejector is not None and self.schema.head_of_task[self.rejector.task] == number:
                for states in shown.values():
                    self.rejector.score.admit(states)

    def setup(self, stage: str) -> None:
        """Refuse data that counts the classes that were added in another way."""
        super().setup(stage)
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set, but not declared
        if self.added and isinstance(data, ActionDataModule):
            size = len(self.trained_schema.tasks[0].labels.names)
            data.unknown.check_added(self.schema.tasks[0].labels.names[size:], data.tasks[0].labels)

    @property
    def heads_made(self) -> list[ClassifierHead]:
        """The classifier's heads, one a label set; none for classifiers without heads."""
        heads = self._modules.get("heads")
        made = list(heads) if isinstance(heads, nn.ModuleList) else []
        return [checked_part(head, ClassifierHead, "model.head") for head in made]

    def _growing_head(self, task: int) -> TextHead | FactorHead:
        """The head of a task.

        Raises:
            SettingError: if it takes no classes.
        """
        heads = self.heads_made
        head = heads[self.schema.head_of_task[task]] if heads else None
        if not isinstance(head, TextHead | FactorHead):
            what = f"has a {type(head).__name__}" if head is not None else f"is a {type(self).__name__} without a head"
            raise SettingError(
                f"Classes are added to a TextHead or a FactorHead, and this classifier {what}.",
                "train it with model.head=gad_lightning.TextHead",
            )
        return head

    def _states_of(self, name: str, examples: Sequence[Example], task: int, encoder: Encoder | None) -> Tensor:
        """One state an example, (k, H).

        Raises:
            SettingError: if there is no example, or one has no frame.
        """
        if not examples:
            raise SettingError(f"The class {name!r} has no example.", "give at least one, or its text alone")
        found, fps = [], self.schema.features.fps
        for video, start, end in examples:
            first, last = frames_between(start, end, fps)
            if not 0 <= first < last:
                raise SettingError(
                    f"An example of {name!r} goes from {start:g} s to {end:g} s, which holds no frame at {fps:g} a "
                    "second.",
                    "give start and end in seconds, the end after the start",
                )
            states = self.slot_states(video, task, encoder)
            if last > len(states) + 1:
                raise DataError(
                    f"An example of {name!r} ends at {end:g} s, and its video at {len(states) / fps:g} s.",
                    "correct the times; they are in seconds",
                )
            found.append(states[first:last].float().mean(0))
        return torch.stack(found)

    def _grow(self, added: Added) -> None:
        """Make room in the head and the schema."""
        head = self.heads_made[added.head]
        if isinstance(head, FactorHead):
            head.add_pairs(dict(zip(added.names, added.pairs, strict=True)))
        else:
            assert isinstance(head, TextHead), "asked before"
            head.make_room(len(added.names))
        old = self.schema.label_sets[added.head]
        labels = old._replace(names=(*old.names, *added.names))
        self.trained_tasks = self.trained_schema.tasks
        tasks = (task._replace(labels=labels) if task.labels == old else task for task in self.schema.tasks)
        self.schema = self.schema._replace(tasks=tuple(tasks))
        self.evaluation = Evaluation(self.schema).to(self.device)
        self.added = (*self.added, added)
        self.drop_decisions("There are further classes now")

    def calibrate_added(self, predictions: Sequence[Predictions], task: int = 0) -> float:
        """Choose what is added to the logits of added classes, so that trained ones do not always win.

        It is the constant whose harmonic mean of both kinds' accuracies is largest; each accuracy is a mean over
        classes.

        Args:
            predictions: of validation, with frames of both kinds of classes, such as ``Trainer.predict`` gives.
            task: index into the schema's tasks.

        Returns:
            The constant, which the classifier uses from now on.

        Raises:
            SettingError: if no class was added.
            DataError: if there are no predictions, or frames of one kind are missing.

        Source: Chao et al., ECCV 2016 (arXiv 1605.04253), calibrated stacking.
        """
        head, size = self._growing_head(task), len(self.trained_schema.tasks[task].labels.names)
        if not head.added:
            raise SettingError("No class was added to this task.", "call add_classes first")
        if not predictions:
            raise DataError("No predictions were given.", "give those of validation videos, as Trainer.predict does")
        classes = len(self.schema.tasks[task].labels.names)
        rows = [
            part.picked((part.task == task) & (known_class(part.target, classes) != IGNORED)) for part in predictions
        ]
        logits = torch.cat([part.logits[:, :classes].float().cpu() for part in rows])
        target = torch.cat([first_class(part.target).cpu() for part in rows])
        before = float(head.offset)
        offset = best_offset(logits[:, :size], logits[:, size:] - before, target)
        with torch.no_grad():
            head.offset.fill_(offset)
        return offset

    def about_added(self) -> list[dict[str, Any]]:
        """What was added, but for its rows: plain data."""
        return [
            {"head": one.head, "names": list(one.names), **({"pairs": [*map(list, one.pairs)]} if one.pairs else {})}
            for one in self.added
        ]

    def take_added(self, about: Sequence[Mapping[str, Any]]) -> None:
        """Make room for the classes that were added to a checkpoint's classifier.

        Raises:
            CheckpointError: if this classifier has others.
        """
        theirs = tuple(
            Added(int(one["head"]), tuple(one["names"]), tuple((str(v), str(o)) for v, o in one.get("pairs", ())))
            for one in about
        )
        if self.added and self.added != theirs:
            raise CheckpointError(
                f"This classifier was given the classes {[one.names for one in self.added]}, the checkpoint "
                f"{[one.names for one in theirs]}.",
                "load the checkpoint with Classifier.load_from_checkpoint",
            )
        for one in theirs if not self.added else ():
            self._grow(one)

    def check_trainable(self) -> None:
        """Refuse to train a classifier that was given classes; one that rejects does so no more.

        Raises:
            SettingError: naming the classes.
        """
        if self.added:
            names = ", ".join(name for one in self.added for name in one.names)
            raise SettingError(
                f"Classes were added without training: {names}. What trains knows nothing of them.",
                "train a classifier of all classes, from this one with --init_from",
            )
        self.drop_rejection()


def _check_kind(head: TextHead | FactorHead, texts: object, factors: object) -> None:
    """Refuse what a head cannot make classes of.

    Raises:
        SettingError: if a FactorHead is given texts or examples, or a TextHead verbs and objects.
    """
    if isinstance(head, FactorHead) and texts:
        raise SettingError(
            "A FactorHead knows classes by verb and object, and was given texts or examples.",
            'give factors={"cut apple": ("cut", "apple")} alone',
        )
    if isinstance(head, TextHead) and factors:
        raise SettingError(
            "A TextHead knows classes by texts, and was given verbs and objects.", "give texts or examples"
        )
