"""MomentIndex: embeddings of moments in a folder, searched without reading it into memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.optional import need

Unit = Literal["segment", "second"]
UNITS: tuple[Unit, ...] = ("segment", "second")
MOMENT = np.dtype(
    [
        ("video", "<i4"),  # index into the facts' videos
        ("start", "<f4"),  # seconds
        ("end", "<f4"),
        ("label", "<i4"),  # predicted class
        ("probability", "<f4"),  # of it
        ("truth", "<i4"),  # class it was labeled, IGNORED if unknown
        ("unit", "<i4"),  # index into UNITS; segments come first
    ]
)
"""A row of the table of moments."""
ABOUT, MOMENTS, ROWS = "index.json", "moments.npy", "rows.faiss"
FORMAT = 1
EXACT = 20_000
"""Rows up to which all are compared; of more only those of the likeliest cells."""
MOST_CELLS, LEARNED_A_CELL, ROUNDS = 1024, 40, 6
LOOKED_INTO = 32
"""Cells that a search looks into."""
AT_ONCE = 100_000
_AGAIN = "make it again with gad-lightning index"


class IndexFacts(NamedTuple):
    """What an index is of."""

    classifier: str  # name of its class
    fingerprint: str  # of its weights and settings
    checkpoint: str  # file it was loaded from
    space: str  # what made the embeddings, such as "ContrastText"
    fps: float  # frames a second
    classes: tuple[str, ...]
    videos: tuple[str, ...]


class Neighbors(NamedTuple):
    """Moments found, best first."""

    numbers: NDArray[np.int64]  # (k,) rows of the table; (n, k) of several questions
    scores: NDArray[np.float32]  # alike, cosine, or probability where a class was asked for


class MomentIndex:
    """Moments of videos and their embeddings; files are mapped into memory, and a search reads what it needs.

    Up to 20,000 rows all are compared. Of more only the 32 cells (of up to 1024) nearest to the query are searched, so
    that a few of the nearest may be missed. Embeddings are kept in half precision.

    Args:
        folder: that :meth:`build` wrote.
        fingerprint: of the classifier that asks; None where nothing is embedded.

    Raises:
        MissingDataError: if there is no index.
        DataError: if it is damaged.
        SettingError: if it is of another classifier than the fingerprint's, or faiss is not installed.

    Source: Johnson et al., Billion-scale similarity search with GPUs, 2019 (arXiv 1702.08734): faiss, inverted file.
    """

    MOMENT: ClassVar[np.dtype[np.void]] = MOMENT
    """Columns of the table of moments."""

    def __init__(self, folder: Path | str, fingerprint: str | None = None) -> None:
        self.folder = Path(folder)
        self.facts = _read_facts(self.folder)
        if fingerprint is not None and fingerprint != self.facts.fingerprint:
            raise SettingError(
                f"{self.folder} is the index of another checkpoint, {self.facts.checkpoint}: states of two classifiers "
                "cannot be compared.",
                "give the checkpoint that it was made with, or make it again with gad-lightning index",
            )
        self.faiss = nearest_library()
        try:
            self.moments: NDArray[np.void] = np.load(self.folder / MOMENTS, mmap_mode="r", allow_pickle=False)
            self.rows = self.faiss.read_index(str(self.folder / ROWS), self.faiss.IO_FLAG_MMAP_IFC)
        except (OSError, ValueError, RuntimeError, EOFError) as error:
            raise DataError(f"The index {self.folder} cannot be read: a file is missing or damaged.", _AGAIN) from error
        if self.moments.dtype != MOMENT or len(self.moments) != self.rows.ntotal or not self._is_sound():
            raise DataError(f"The index {self.folder} is damaged: its files do not fit together.", _AGAIN)
        self.segments = int(np.searchsorted(self.moments["unit"], 1))

    def __len__(self) -> int:
        """Moments in it."""
        return len(self.moments)

    @property
    def width(self) -> int:
        """Of the embeddings."""
        return int(self.rows.d)

    @classmethod
    def build(
        cls, folder: Path | str, rows: NDArray[np.floating], moments: NDArray[np.void], facts: IndexFacts
    ) -> Self:
        """Write an index.

        Args:
            folder: gets the files; an index that is there is replaced.
            rows: (n, p) embeddings of length 1, n at least 1.
            moments: (n,) of ``MomentIndex.MOMENT``, in any order.
            facts: what it is of.

        Raises:
            DataError: if there is no moment, or an embedding is not finite.
        """
        if not len(rows) or len(rows) != len(moments):
            raise DataError(f"{len(rows)} embeddings of {len(moments)} moments make no index.", "give one a moment")
        faiss, target = nearest_library(), make_folder(Path(folder))
        order = np.argsort(moments["unit"], kind="stable")
        found = _learned(faiss, rows)
        for first in range(0, len(rows), AT_ONCE):
            part = np.ascontiguousarray(rows[order[first : first + AT_ONCE]], dtype=np.float32)
            if not np.isfinite(part).all():
                raise DataError("Embeddings hold values that are not finite.", "train again, the weights are damaged")
            found.add(part)
        (target / ABOUT).unlink(missing_ok=True)  # an index without it is none
        with atomic_write(target / MOMENTS) as unfinished, unfinished.open("wb") as file:
            np.save(file, moments[order].astype(MOMENT))
        with atomic_write(target / ROWS) as unfinished:
            faiss.write_index(found, str(unfinished))
        with atomic_write(target / ABOUT) as unfinished:
            unfinished.write_text(json.dumps({"format": FORMAT, **facts._asdict()}, indent=1), encoding="utf-8")
        return cls(target)

    def nearest(self, query: NDArray[np.floating], count: int = 10, unit: Unit | None = None) -> Neighbors:
        """Moments with the highest cosine to an embedding.

        Args:
            query: (p,) of length 1.
            count: most moments given, at least 1.
            unit: segments or seconds only; None for both.

        Raises:
            SettingError: if the query has another width.
        """
        if query.shape != (self.width,):
            raise SettingError(
                f"The query has the shape {query.shape}; the index holds rows of width {self.width}.",
                "embed it with the classifier of the index",
            )
        found = self.nearest_of_each(query[None], count, unit)
        there = found.numbers[0] >= 0
        return Neighbors(found.numbers[0][there], found.scores[0][there])

    def nearest_of_each(self, queries: NDArray[np.floating], count: int, unit: Unit | None = None) -> Neighbors:
        """The same of several embeddings: (n, p) -> (n, k) each, k at most ``count``; -1 where there are no more."""
        first, last = self._range(unit)
        count = min(count, last - first)
        if not count or not len(queries):
            return Neighbors(np.zeros((len(queries), count), np.int64), np.zeros((len(queries), count), np.float32))
        asked = self.faiss.IDSelectorRange(first, last)
        is_exact = isinstance(self.rows, self.faiss.IndexScalarQuantizer)
        how = self.faiss.SearchParameters(sel=asked) if is_exact else self._cells(asked)
        scores, numbers = self.rows.search(np.ascontiguousarray(queries, np.float32), count, params=how)
        return Neighbors(numbers, scores)

    def of_class(self, label: int, count: int = 10, unit: Unit | None = None) -> Neighbors:
        """Moments that the classifier holds for a class, the most probable first."""
        first, last = self._range(unit)
        numbers = first + np.flatnonzero(self.moments["label"][first:last] == label)
        chance = self.moments["probability"][numbers]
        best = np.argsort(-chance, kind="stable")[:count]
        return Neighbors(numbers[best], chance[best])

    def _range(self, unit: Unit | None) -> tuple[int, int]:
        """Rows of a unit: the segments come first."""
        if unit is None:
            return 0, len(self)
        return (0, self.segments) if unit == "segment" else (self.segments, len(self))

    def _cells(self, asked: object) -> object:
        """How an inverted file is searched."""
        return self.faiss.SearchParametersIVF(sel=asked, nprobe=LOOKED_INTO)

    def _is_sound(self) -> bool:
        """Whether every moment names a video and a unit that there are."""
        video, unit = self.moments["video"], self.moments["unit"]
        known = bool(((video >= 0) & (video < len(self.facts.videos))).all())
        return known and bool((unit[1:] >= unit[:-1]).all()) and bool(np.isin(unit, range(len(UNITS))).all())


class _Growing(Protocol):
    """An index of faiss that takes rows."""

    def add(self, rows: NDArray[np.float32]) -> None:
        """Take (n, p) more."""


def nearest_library() -> ModuleType:
    """The library of nearest neighbors, faiss.

    Raises:
        SettingError: if it is not installed.
    """
    return need("faiss", extra="search", why="to search moments")


def _learned(faiss: ModuleType, rows: NDArray[np.floating]) -> _Growing:
    """An empty index for so many rows, its cells learned from some of them."""
    half, cosine, width = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, rows.shape[1]
    if len(rows) <= EXACT:
        exact: _Growing = faiss.IndexScalarQuantizer(width, half, cosine)
        return exact
    cells = min(MOST_CELLS, int(4 * len(rows) ** 0.5))
    chosen = np.random.default_rng(0).permutation(len(rows))[: LEARNED_A_CELL * cells]
    made = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(width), width, cells, half, cosine)
    made.cp.niter = ROUNDS
    made.train(np.ascontiguousarray(rows[np.sort(chosen)], dtype=np.float32))
    learned: _Growing = made
    return learned


def _read_facts(folder: Path) -> IndexFacts:
    """What an index says of itself.

    Raises:
        MissingDataError: if there is none.
        DataError: if it cannot be read.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise MissingDataError(f"There is no index in {folder}.", "make one: gad-lightning index RUN")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        facts = IndexFacts(**{name: found[name] for name in IndexFacts._fields})
        facts = facts._replace(fps=float(facts.fps), classes=tuple(facts.classes), videos=tuple(facts.videos))
        texts = [facts.classifier, facts.fingerprint, facts.checkpoint, facts.space, *facts.classes, *facts.videos]
        sound = found["format"] == FORMAT and all(isinstance(text, str) for text in texts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} describes no index: {error}.", _AGAIN) from error
    if not sound:
        raise DataError(f"{path} describes no index of this version.", _AGAIN)
    return facts
