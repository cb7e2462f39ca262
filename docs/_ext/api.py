"""The API pages: every public name, by the room it lives in, out of the docstrings."""

from __future__ import annotations

import inspect
from importlib import import_module

import gad_lightning

PACKAGE = gad_lightning.__name__

ROOMS = {
    "classifiers": "Classifiers",
    "backbones": "Backbones",
    "heads": "Heads",
    "prompts": "Prompt, labels and contexts",
    "objectives": "Objectives",
    "kernels": "Kernels of sequences",
    "readouts": "Readouts",
    "data": "Data sets",
    "video": "Video, encoders and live sources",
    "decisions": "From probabilities to decisions",
    "retrieval": "Search for moments",
    "search": "Answers helped by search",
    "streaming": "Live streams",
    "metrics": "Metrics",
    "training": "Training",
    "records": "Records and schema",
    "errors": "Errors",
}
"""Rooms in the order of the pages, each with its heading; what lives on the ground floor is under records."""


BENCHMARKS = ("COIN", "CrossTask", "EPICKitchens100", "Ego4DGoalStep", "THUMOS14")
MADE_UP = ("ToyActions", "SimulatedDials", "SimulatedFeatures", "SyntheticTimelines")
NOTHING = (
    *BENCHMARKS,
    *MADE_UP,
    "DiscriminativeClassifier",
    "HuggingFaceEncoder",
    "OrderedGADClassifier",
    "OwnVideos",
    "TwoStageClassifier",
)
"""Classes whose own members only this library calls: their arguments are all that a user needs."""
MEMBERS = {
    "ActionDataModule": "background, ignored, class_names, goals, records, tasks, schema, held_out, videos, dataset",
    "BenchmarkActions": "annotations, official_names, official_sessions",
    "BenchmarkVideos": "sessions, seconds, record",
    "Classifier": "losses, scores, score_branches, forward, detect, lr, load_from_checkpoint, from_pretrained, "
    "save_pretrained, push_to_hub, init_from",
    "KitchenVideos": "render",
    "LiveSource": "tell, stop",
    "OnlineDetector": "push, restart, state_dict, load_state_dict",
    "VideoFile": "report",
}
"""Of classes that have more, the members that a user calls or overrides."""


def members(name: str) -> str:
    """The option that says which members of a class are shown, if not all that are public."""
    if name in NOTHING:
        return "   :no-members:\n"
    return f"   :members: {MEMBERS[name]}\n" if name in MEMBERS else ""


def room_of(module: str) -> str:
    """Page of what lives in a module of the package."""
    room = module.partition(".")[0]
    return room if room in ROOMS else "records"


def names_by_room() -> dict[str, list[str]]:
    """Public names of each page: base classes first, then in alphabetical order."""
    found: dict[str, list[str]] = {room: [] for room in ROOMS}
    for module, names in gad_lightning.NAMES_OF.items():
        found[room_of(module)] += names
    return {room: sorted(names, key=_order) for room, names in found.items() if names}


def _order(name: str) -> tuple[bool, str]:
    value = getattr(gad_lightning, name)
    return not (inspect.isclass(value) and inspect.isabstract(value)), name.lower()


def directive_of(name: str) -> str:
    """The autodoc directive of a public name."""
    value = getattr(gad_lightning, name)
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


def inherited(name: str) -> str:
    """The option that shows what a class has of bases without a public name."""
    value = getattr(gad_lightning, name)
    if not inspect.isclass(value) or name in NOTHING:
        return ""
    bases = value.__mro__[1:]
    shown = {above for base in bases if base.__name__ in gad_lightning.__all__ for above in base.__mro__}
    private = [base for base in bases if is_ours(base) and base not in shown]
    hidden = sorted({base.__name__ for base in bases} - {base.__name__ for base in private})
    return f"   :inherited-members: {', '.join(hidden)}\n" if private else ""


def is_ours(cls: type) -> bool:
    """Whether a class is of this library."""
    return cls.__module__.startswith(PACKAGE)


def pages() -> dict[str, str]:
    """The texts of the pages by name."""
    rooms = names_by_room()
    listed = "\n".join(f"api/{room}" for room in rooms)
    made = {
        "api": f"# API\n\n{INTRODUCTION}\n\n{overview(rooms)}\n\n```{{toctree}}\n:hidden:\n\n{listed}\n```\n",
    }
    for room, names in rooms.items():
        directives = (f".. {directive_of(name)}:: {PACKAGE}.{name}\n{members(name)}{inherited(name)}" for name in names)
        documented = "\n\n".join(f"```{{eval-rst}}\n{directive}```" for directive in directives)
        made[f"api/{room}"] = f"# {ROOMS[room]}\n\n{purpose(room)}\n\n{documented}\n"
    made["api/metrics"] += functional()
    return made


def functional() -> str:
    """The metrics as functions, which are imported from a room of their own as in torchmetrics."""
    room = import_module(f"{PACKAGE}.metrics.functional")
    directives = "\n".join(
        f".. autofunction:: {room.__name__}.{name}" for name in room.__all__ if inspect.isfunction(getattr(room, name))
    )
    heading = "## As functions\n\nFrom `gad_lightning.metrics.functional`, of frames in order."
    return f"\n{heading}\n\n```{{eval-rst}}\n{directives}\n```\n"


def purpose(room: str) -> str:
    """What a room is for: the docstring of its package."""
    if room == "records":
        return "What travels between the rooms, and what a classifier must know of its data."
    return (import_module(f"{PACKAGE}.{room}").__doc__ or "").strip()


INTRODUCTION = """\
Everything that a program or a config may name, by room. All of it is imported from `gad_lightning` itself:
`from gad_lightning import GADClassifier`; in a config it is written `gad_lightning.GADClassifier`. What is not listed
here can change without notice. The letters of shapes are in the {doc}`glossary </glossary>`."""


def overview(rooms: dict[str, list[str]]) -> str:
    """A table of all names."""
    rows = [
        f"| [{ROOMS[room]}](api/{room}.md) | {', '.join(f'{{py:obj}}`~{PACKAGE}.{name}`' for name in names)} |"
        for room, names in rooms.items()
    ]
    return "\n".join(["| room | names |", "| --- | --- |", *rows])
