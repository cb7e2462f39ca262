"""Classes as vectors of their texts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead, TextTower
from gad_lightning.heads.class_table import actions_of, check_known, read_classes
from gad_lightning.schema import LabelSet

ALIKE = 0.98
"""Cosine of two texts above which a warning names them."""
TextMode = Literal["frozen", "init", "free"]


class TextHead(ClassifierHead):
    """Logits are cosines, over a temperature, between the projected slot state and a vector of each class's text.

    The vector of a text is the mean of the language model's own states over its tokens, adapter off, less the mean over
    all classes; or what a sentence encoder gives. Background and ignored class have a free row in every mode, which is
    trained.

    Args:
        hidden_size: H.
        labels: the classes.
        texts: a text for each class by its name, or the path of a CSV file ``label,text``; the names if None.
        mode: ``frozen`` leaves the rows of texts as they are; ``init`` trains them from there; ``free`` takes no text
            and no projection, and equals :class:`CosineHead`.
        temperature: that cosines are divided by, above 0.
        tower: folder or hub name of a sentence encoder; None takes the language model.
        width: E, of the vectors; written by checkpoints, which hold the vectors, so that no tower is asked again.

    Raises:
        SettingError: if the temperature is not above 0, a class has no text, or a text is empty.
        DataError, MissingDataError: if the file cannot be read.

    Source: Lin and Shou, VLog, CVPR 2025 (arXiv 2503.09402); Wu et al., Text4Vis, AAAI 2023 (arXiv 2207.01297).
    """

    training_only: ClassVar[tuple[str, ...]] = ("tower",)  # the vectors are in the checkpoint
    with_text: Tensor
    rows: nn.Parameter
    fixed: nn.Parameter
    center: nn.Parameter
    projection: nn.Linear
    offset: nn.Parameter

    def __init__(
        self,
        hidden_size: int,
        labels: LabelSet,
        texts: str | Path | dict[str, str] | None = None,
        mode: TextMode = "frozen",
        temperature: float = 0.05,
        tower: str | None = None,
        width: int | None = None,
    ) -> None:
        super().__init__(hidden_size, labels)
        if not temperature > 0:
            raise SettingError(f"temperature of TextHead must be above 0, got {temperature}.", "0.05 is usual")
        self.given, self.mode, self.scale, self.tower = _texts_of(texts), mode, 1 / temperature, tower
        actions = [] if mode == "free" else actions_of(labels)
        if self.given is not None and actions:
            check_known(self.given, labels, "texts of TextHead")
        self.texts = {name: name if self.given is None else self.given[name] for name in actions}
        _check_texts(self.texts)
        marks = torch.tensor([name in self.texts for name in labels.names])
        self.added = nn.ParameterList()
        self.register_buffer("with_text", marks.unsqueeze(1), persistent=False)  # (C, 1)
        self.width = hidden_size if mode == "free" else width
        if self.width is not None:
            self._make_rows(self.width)

    def settings(self) -> dict[str, Any]:
        """Arguments to record: the texts in place of a file, and the width of the vectors that a checkpoint holds."""
        return {**super().settings(), "texts": self.given, "width": None if self.mode == "free" else self.width}

    def prepare(self, tower: TextTower) -> None:
        """Ask the tower for the vectors of the texts, once; a warning names texts that are hardly told apart."""
        if self.width is not None:
            return
        vectors = tower(list(self.texts.values()), self.tower).float()
        self.width = vectors.shape[1]
        self._make_rows(self.width)
        with torch.no_grad():
            if self.tower is None and len(vectors) > 1:
                self.center.copy_(vectors.mean(0))
            rows = self.fixed if self.mode == "frozen" else self.rows
            rows[self.with_text.squeeze(1)] = self.directions_of(vectors)
        _warn_of_likeness(list(self.texts), self.directions_of(vectors))

    def directions_of(self, vectors: Tensor) -> Tensor:
        """What a tower gave, (n, E), as rows of length 1 in the place where classes are compared."""
        return normalize(vectors - self.center.to(vectors), dim=-1)

    def project(self, states: Tensor) -> Tensor:
        """Directions of states: (Q, H) -> (Q, E), each of length 1."""
        return normalize(states if self.mode == "free" else self.projection(states), dim=-1)

    def forward(self, states: Tensor) -> Tensor:
        """(Q, H) -> (Q, C)."""
        if self.width is None:
            raise SettingError("This TextHead has no vectors of its texts.", "call prepare, as a classifier does")
        rows = torch.where(self.with_text, self.fixed, self.rows) if self.mode == "frozen" else self.rows
        directions = self.project(states)
        logits = self.scale * linear(directions, normalize(rows, dim=-1))
        # each block by itself, so that no other logit changes by a bit
        blocks = [self.scale * linear(directions, block) + self.offset for block in self.added]
        return torch.cat([logits, *blocks], 1) if blocks else logits

    def make_room(self, count: int) -> None:
        """Make room for rows of classes that are added behind the others; they are never trained.

        Raises:
            SettingError: if the head has no width yet.
        """
        if self.width is None:
            raise SettingError("This TextHead has no vectors of its texts.", "call prepare, as a classifier does")
        where = self.rows.device
        if not self.added:
            self.offset = nn.Parameter(torch.zeros((), device=where), requires_grad=False)
        self.added.append(nn.Parameter(torch.zeros(count, self.width, device=where), requires_grad=False))

    def rows_of(self, texts: Mapping[str, str], tower: TextTower) -> dict[str, Tensor]:
        """Rows of further classes, (E,) each of length 1, by their texts; a warning names what is hardly told apart.

        Raises:
            SettingError: if a text is empty, or the head knows no texts.
        """
        if not texts:
            return {}
        if self.mode == "free":
            raise SettingError(
                f"A TextHead of the mode free knows no texts, and {next(iter(texts))!r} has one.", "give examples alone"
            )
        _check_texts(texts)
        made = self.directions_of(tower(list(texts.values()), self.tower).float().to(self.rows.device))
        known = (self.fixed if self.mode == "frozen" else self.rows)[self.with_text.squeeze(1)]
        _warn_of_likeness([*self.texts, *texts], torch.cat([normalize(known, dim=-1), made]))
        return dict(zip(texts, made, strict=True))

    def row_for(self, states: Tensor | None, text: Tensor | None, text_weight: float) -> Tensor:
        """Row of a class, (E,), of its examples' states (k, H), of its text's row (E,), or of both."""
        parts = [] if text is None else [text if states is None else text_weight * text]
        if states is not None:
            parts.append(self.project(states.to(self.rows)).sum(0))  # k times their mean
        return normalize(torch.stack(parts).sum(0), dim=0)

    def _make_rows(self, width: int) -> None:
        """Make room for the vectors, (C, E), and a projection that begins by changing nothing where it can."""
        self.rows = nn.Parameter(torch.randn(len(self.labels.names), width) * width**-0.5)
        if self.mode == "free":
            return
        self.center = nn.Parameter(torch.zeros(width), requires_grad=False)
        self.projection = nn.Linear(self.hidden_size, width)
        if width == self.hidden_size:
            nn.init.eye_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)
        if self.mode == "frozen":
            self.fixed = nn.Parameter(torch.zeros_like(self.rows), requires_grad=False)


def _texts_of(given: str | Path | Mapping[str, str] | None) -> dict[str, str] | None:
    """Texts by class, of a file if a path is given."""
    if isinstance(given, str | Path):
        return {name: text for name, (text,) in read_classes(Path(given), ("text",)).items()}
    return None if given is None else dict(given)


def _warn_of_likeness(names: Sequence[str], directions: Tensor) -> None:
    """Warn of the two classes whose texts are most alike, if their cosine is above :data:`ALIKE`.

    Args:
        names: n of them.
        directions: (n, E), each of length 1.
    """
    cosines = (directions @ directions.T).triu(1)
    if not len(names) or not bool((cosines > ALIKE).any()):
        return
    one, other = divmod(int(cosines.argmax()), len(names))
    warnings.warn(
        f"The texts of {names[one]!r} and {names[other]!r} have a cosine of {float(cosines[one, other]):.3f}: they are "
        "hardly told apart. Describe what differs.",
        stacklevel=3,
    )


def _check_texts(texts: Mapping[str, str]) -> None:
    """Refuse empty texts.

    Raises:
        SettingError: naming the first class of one.
    """
    for name, text in texts.items():
        if not text.strip():
            raise SettingError(f"The text of the class {name!r} is empty.", "describe it in a few words")
