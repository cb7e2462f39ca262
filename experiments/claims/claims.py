"""The claims as their TOML files have them, and the runs that each takes."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gad_lightning.compare.runs import Run, Variant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RESULTS = HERE / "results"
RUNS = Path("runs/claims")
METRICS = ("segment_f1", "point_f1", "top1")
MARGIN = 0.01
"""Least difference that matters, in any score, where a part gives no other."""


class Part(NamedTuple):
    """One comparison of two variants: the first is better (``more``), or both are the same (``same``)."""

    kind: Literal["more", "same"]
    first: str
    second: str
    margin: float = MARGIN

    @property
    def text(self) -> str:
        """The part as a formula."""
        return f"{self.first} {'>' if self.kind == 'more' else '='} {self.second}"


class Claim(NamedTuple):
    """A question and the comparisons that answer it."""

    number: int
    question: str
    paper: str  # its figures
    on: tuple[str, ...]  # names of data sets
    parts: tuple[Part, ...]
    metrics: tuple[str, ...] = METRICS
    leave_out: Mapping[str, Sequence[str]] = MappingProxyType({})  # per data set, variants that make no sense there
    models: Mapping[str, str] = MappingProxyType({})  # per data set, if not as data.toml says
    command: str = ""  # what answers it, if no comparison of runs does
    figures: str = ""  # what the command stores, in experiments/bench/results
    missing: str = ""  # what is not in the library yet

    def parts_on(self, data: str) -> list[Part]:
        """Comparisons that make sense on a data set."""
        left_out = self.leave_out.get(data, [])
        return [part for part in self.parts if part.first not in left_out and part.second not in left_out]


class Data(NamedTuple):
    """Where claims are tested."""

    name: str
    folder: str  # of its configs
    what: str
    model: str
    seeds: int
    share: float  # of the queries that Gen is trained on
    overrides: tuple[str, ...]
    tried: str  # settings that were tried, and what was seen
    people: int = 0  # of the test videos, where what is stored was drawn by video; 0 if every video is a unit
    folds: bool = False  # run k is tested on fold k: folds are the units, and seeds is their number
    of_config: Mapping[str, Sequence[str]] = MappingProxyType({})  # further overrides of some configs, by their stem


def read_claims(folder: Path = HERE) -> dict[int, Claim]:
    """All claims by number."""
    claims = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.toml")):
        given: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = tuple(part_of(part) for part in given.pop("parts", []))
        number = int(path.name[:2])
        tuples = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        claims[number] = Claim(number=number, parts=parts, **{**given, **tuples})
    return claims


def part_of(given: dict[str, Any]) -> Part:
    """Read one comparison."""
    kind: Literal["more", "same"] = "more" if "more" in given else "same"
    return Part(kind, *given[kind], given.get("margin", MARGIN))


def read_data() -> dict[str, Data]:
    """All data sets by name."""
    tables = tomllib.loads((HERE / "data.toml").read_text(encoding="utf-8"))
    return {name: Data(name, overrides=tuple(table.pop("with")), **table) for name, table in tables.items()}


def read_variants() -> dict[str, dict[str, Any]]:
    """All variants by name: the stem of a config, and overrides."""
    return tomllib.loads((HERE / "variants.toml").read_text(encoding="utf-8"))


def variant_on(name: str, data: Data, more: tuple[str, ...] = ()) -> Variant:
    """A variant on a data set; paths of its configs are relative to the repository."""
    made = read_variants()[name]
    config = ROOT / data.folder / f"{made['config']}.yaml"
    models = os.environ.get("GAD_MODELS", "../shared/data/models")
    own = (each.replace("{share}", str(data.share)).replace("{models}", models) for each in made.get("with", ()))
    overrides = (*data.overrides, *data.of_config.get(made["config"], ()), *own, *more)
    return Variant(name, config, overrides, made.get("trained_as", ""))


def runs_of(names: list[str], data: Data, seeds: int, home: Path = RUNS, more: tuple[str, ...] = ()) -> list[Run]:
    """Runs of some variants, a seed after the other, so that a table is paired at any time."""
    needed = [read_variants()[name].get("trained_as", name) for name in names]
    variants = [variant_on(name, data, more) for name in dict.fromkeys([*needed, *names])]
    return [Run(v, seed, home / f"{data.name}-runs" / v.folder / str(seed)) for seed in range(seeds) for v in variants]


def names_in(parts: list[Part]) -> list[str]:
    """Variants of some comparisons, each once."""
    return list(dict.fromkeys(name for part in parts for name in (part.first, part.second)))
