"""DataSchema: all that a model must know of its data, and the one thing linked from data to model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from gad_lightning.errors import DataError, SettingError

Mode = Literal["window", "one_pass"]
CONTROLS = "".join(letter for letter in map(chr, [*range(32), *range(127, 160)]) if not letter.isspace())
INVISIBLE = dict.fromkeys(map(ord, f"{CONTROLS}\u00ad\u200b\u200e\u200f\u2060\ufeff"))
"""Characters that nobody sees; the joiners of Indic, Arabic and Persian words are none of them."""
UNSEEN = re.compile("[\u034f\u115f\u1160\u180b-\u180f\u3164\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Fillers and marks that choose how a letter or a picture is drawn."""
BETWEEN_WORDS = re.compile(r"(?<=.)[\s_\-\u2010-\u2015\u2212\u30fb\u00b7]+(?=.)")
"""Spaces, underscores, hyphens and dots at half height between words; a first one can be the sign of a number."""
SAME_LOOK = str.maketrans(
    "\u0131\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u03bf", "iaeopcyxijsho"
)
"""Letters of other alphabets that look as Latin ones do: the i without a dot, Cyrillic ones, omicron."""
SAME_QUOTES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4`", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
)
"""Curly apostrophes and quotation marks, and the straight ones that keyboards have."""
SLASH = re.compile(r"(?<=[^\W\d_])\s*/\s*(?=[^\W\d_])")
"""A slash between words; one between digits makes a fraction."""
ALIKE = "capitals, forms of letters and quotation marks, or what stands between words"
"""How names differ that a person may take for one, for messages."""
SEPARATOR = "; "
"""What stands between the names of several classes in a text."""
UNKNOWN = "unknown"
"""What an action that is none of the classes is called where it is shown."""


class LabelSet(NamedTuple):
    """The closed set of classes that a task chooses from."""

    names: tuple[str, ...]  # class names in the order of their indices
    background: int | None = None  # index of the class that means "nothing of interest"
    ignore: int | None = None  # index of the class that enters neither loss nor metrics
    multi_label: bool = False  # whether several classes can be true at once: each is then asked by itself, yes or no


class Task(NamedTuple):
    """One thing that is asked; tasks with equal label sets share a head."""

    name: str
    labels: LabelSet
    per_frame: bool = True  # asked at every frame of a video (segment and point F1 apply), or once a clip (Top-1 only)


class FeatureSpec(NamedTuple):
    """How the frames were made: features of another kind are refused."""

    encoder: str = "small"  # name and revision of the vision encoder
    fps: float = 4.0  # frames a second of the features
    width: int = 96  # D; the default three values are those of gad_lightning.SmallEncoder
    tokens_per_frame: int = 1  # N
    mean: tuple[float, ...] | None = None  # per feature, over the training split; None: frames are not standardized
    std: tuple[float, ...] | None = None


class Windows(NamedTuple):
    """What a query may look back on. In frames, except where a stride says otherwise.

    ``window`` mode shows each query ``frames`` frames of its own (the paper). ``one_pass`` mode cuts a video into
    chunks of ``chunk`` new frames after ``frames - 1`` context frames and asks at every frame.
    """

    mode: Mode = "window"
    short: int = 32  # short memory: the last frames up to the anchor
    long: int = 0  # long memory: the frames before those
    short_stride: int = 1
    long_stride: int = 1
    chunk: int = 128

    @property
    def frames(self) -> int:
        """Most frames a query sees, memory strides counted."""
        return -(-self.short // self.short_stride) + -(-self.long // self.long_stride)


class DataSchema(NamedTuple):
    """Label sets, goals, features and windows of a data set; stored in every checkpoint."""

    tasks: tuple[Task, ...]
    goals: tuple[str, ...] = ()
    features: FeatureSpec = FeatureSpec()
    windows: Windows = Windows()
    unknown: tuple[str, ...] = ()  # classes of the data that were held out of training

    @property
    def label_sets(self) -> list[LabelSet]:
        """The different label sets, in order of first use: one head each."""
        return list(dict.fromkeys(task.labels for task in self.tasks))

    @property
    def head_of_task(self) -> list[int]:
        """Per task, the index of its label set in ``label_sets``."""
        return [self.label_sets.index(task.labels) for task in self.tasks]

    @property
    def num_classes(self) -> int:
        """C: the classes of the largest label set."""
        return max(len(task.labels.names) for task in self.tasks)


def normalized(text: str) -> str:
    """A name as a person reads it: Unicode form NFC, nothing invisible, one space between words, none around.

    Example:
        >>> normalized(" add\u00a0 salt\u200b") == "add salt"
        True
        >>> normalized("ru\u0308hren") == "r\u00fchren"
        True
    """
    return " ".join(unicodedata.normalize("NFC", text).translate(INVISIBLE).split())


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that a person may take for one.

    They differ by capitals (also the Turkish ones), forms or joiners of letters, letters of other alphabets that look
    the same, curly and straight quotation marks, or by what stands between words, where ``&`` is read as "and".

    Example:
        >>> alike(["stir", "pour", "Stir"])
        [('stir', 'Stir')]
        >>> alike(["cut_it", "cut it", "cut-it", "cutting"])
        [('cut_it', 'cut it'), ('cut_it', 'cut-it')]
    """
    first: dict[str, str] = {}
    pairs = []
    for name in dict.fromkeys(names):
        known = first.setdefault(_read_as(name), name)
        if known != name:
            pairs.append((known, name))
    return pairs


def _read_as(name: str) -> str:
    """What names that a person may take for one have in common."""
    letters = unicodedata.normalize("NFKC", normalized(name).translate(SAME_QUOTES)).casefold()
    seen = "".join(letter for letter in UNSEEN.sub("", letters) if unicodedata.category(letter) != "Cf")
    dotless = unicodedata.normalize("NFD", seen.translate(SAME_LOOK)).replace("i\u0307", "i")
    words = SLASH.sub(" ", re.sub(r"(?<=.)&(?=.)", " and ", dotless.strip(" _")))
    return BETWEEN_WORDS.sub(" ", words) or name


def check_names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """Return ``names`` as a tuple, refusing an empty list, empty names and names that are read as one.

    Args:
        names: class or goal names.
        what: where they come from, such as ``"class_names"`` or a file's path.

    Raises:
        DataError: naming the first name that is empty or stands twice.
    """
    if not names:
        raise DataError(f"{what} is empty.", "give at least one name")
    seen: set[str] = set()
    for index, name in enumerate(names):
        read = normalized(name)
        if not read:
            raise DataError(f"Name number {index} of {what} is empty.", "give every class a name")
        if read in seen:
            raise DataError(f"{what} has {read!r} twice.", "make the names distinct: an answer must mean one class")
        seen.add(read)
    return tuple(names)


def schema_of(
    class_names: Sequence[str], *, background: str | None = "background", features: FeatureSpec | None = None
) -> DataSchema:
    """Build the schema of one task, the shorthand behind ``class_names=[...]``.

    Args:
        class_names: names in the order of their indices.
        background: name of the background class; it need not be among the names.
        features: the frames' origin; the built-in encoder's by default.
    """
    names = check_names(class_names, "class_names")
    if len(names) < 2:
        raise SettingError(f"class_names has one name, {names[0]!r}: there is nothing to choose.", "give at least two")
    index = names.index(background) if background in names else None
    return DataSchema((Task("action", LabelSet(names, index)),), features=features or FeatureSpec())
