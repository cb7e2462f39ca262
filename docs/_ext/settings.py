"""The page of settings: what a config can say, out of the constructors of everything public that it can name."""

from __future__ import annotations

import inspect
from typing import Any

from docs._ext.docstrings import Argument, arguments_of, described, summary, table

import gad_lightning

PARTS = {
    "Classifiers": ("model", "Classifier"),
    "Backbones": ("model.init_args.backbone", "Backbone"),
    "Connectors": ("model.init_args.backbone.init_args.connector", "Connector"),
    "Heads": ("model.init_args.head", "ClassifierHead"),
    "Label tokens": ("model.init_args.labels", "LabelTokens"),
    "Contexts": ("model.init_args.context", "AuxiliaryContext"),
    "Objectives": ("model.init_args.objectives", "Objective"),
    "Sequences of a query": ("model.init_args.objectives.init_args.slices", "SliceSource"),
    "Kernels of sequences": ("model.init_args.objectives.init_args.kernel", "SequenceKernel"),
    "Readouts": ("model.init_args.readout", "Readout"),
    "Prompt": ("model.init_args.prompt", "Prompt"),
    "Data sets": ("data", "ActionDataModule"),
    "Encoders": ("data.init_args.encoder", "Encoder"),
    "Callbacks": ("trainer.callbacks", "Callback"),
}
"""Headings, each with where a config names such a part and the base class of those parts."""
GIVEN = {"schema", "class_names", "features", "hidden_size"}
"""Arguments that the command line or the classifier gives."""


def page() -> str:
    """The text of the page."""
    sections = [f"## {heading}\n\n{section(key, base)}" for heading, (key, base) in PARTS.items()]
    return "\n\n".join([INTRODUCTION, *sections]) + "\n"


def section(key: str, base: str) -> str:
    """All parts of one kind; what they share stands once, before them."""
    parts = [cls for cls in public_classes() if is_part(cls, base)]
    shared_by = getattr(gad_lightning, base, None)
    shared = own_arguments(shared_by) if shared_by in (gad_lightning.Classifier, gad_lightning.ActionDataModule) else []
    texts = [f"Set by `{key}`."]
    if shared:
        texts += ["### For all of them", table([known for known in shared if known.name not in GIVEN])]
    hidden = GIVEN | {known.name for known in shared}
    for cls in parts:
        arguments = [known for known in all_arguments(cls) if known.name not in hidden]
        if cls.__name__.endswith("Head"):  # made by the classifier, which gives the classes
            arguments = [known for known in arguments if known.name != "labels"]
        told = summary(cls.__doc__).split("\n\n")[0]
        texts += [f"### {cls.__name__}", f"`gad_lightning.{cls.__name__}`: {told[:1].lower()}{told[1:]}"]
        if arguments:
            texts.append(table(arguments))
    return "\n\n".join(texts)


def public_classes() -> list[type]:
    """Public classes that are not abstract, in alphabetical order."""
    values = (getattr(gad_lightning, name) for name in gad_lightning.__all__)
    return [value for value in values if inspect.isclass(value) and not inspect.isabstract(value)]


def is_part(cls: type, base: str) -> bool:
    """Whether a class is a part of this kind that a config can name, and not only a base of such parts."""
    from lightning import Callback

    parent: Any = Callback if base == "Callback" else getattr(gad_lightning, base)
    abstract = {gad_lightning.Classifier, gad_lightning.ClassifierHead, gad_lightning.Objective}
    return issubclass(cls, parent) and cls not in abstract


def own_arguments(cls: type) -> list[Argument]:
    """Arguments of a class's own constructor."""
    return arguments_of(cls.__init__, cls.__doc__)  # type: ignore[misc]  # a class is given


def all_arguments(cls: type) -> list[Argument]:
    """Arguments of a constructor; those behind ``**kwargs`` are the base class's."""
    found: dict[str, Argument] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base) or not base.__module__.startswith("gad_lightning"):
            continue
        for known in own_arguments(base):
            said = next((text for c in cls.__mro__ if (text := described(c.__doc__ or "").get(known.name))), "")
            found.setdefault(known.name, known._replace(meaning=said))
        kinds = [known.kind for known in inspect.signature(base.__init__).parameters.values()]  # type: ignore[misc]  # a class
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return list(found.values())


INTRODUCTION = """\
# Settings of a run

A run is one YAML file with three parts, in the order `model`, `data`, `trainer`. `model` and `data` name a class and
its arguments; `trainer` has the arguments of Lightning's `Trainer`.

```yaml
model:
  class_path: gad_lightning.GADClassifier
  init_args:
    backbone: gad_lightning.TinyBackbone
    context: gad_lightning.PreviousActions
data:
  class_path: gad_lightning.ToyActions
  init_args: {mode: one_pass, batch_size: 4}
trainer: {max_epochs: 3}
```

Any value can be given on the command line instead, with dots: `--data.batch_size=8`, `--trainer.max_epochs=20`,
`--model.backbone=gad_lightning.TinyBackbone --model.backbone.hidden_size=48`.
A part without arguments of its own can be written as its bare path, as `backbone` is above. Such a path may lead into
your own package.

| beside these | default | meaning |
| --- | --- | --- |
| `seed_everything` | `0` | seed of weights, dropout and all else that is drawn; the order of the data has `data.seed` |
| `ckpt_path` | `null` | checkpoint to resume (`fit`) or to score; `last`: the last one of this run |
| `init_from` | `null` | for `fit`: checkpoint, folder or hub repository whose weights the classifier begins with |
| `trainer.default_root_dir` | `runs` | a run leaves `runs/<data>/<classifier>/version_N` |
| `trainer.log_every_n_steps` | `10` | steps between two values in `metrics.csv` |
| `trainer.callbacks` | | a run adds what is missing: the best and the last checkpoint, and one every ten minutes |
| `trainer.logger` | | a CSV file in the run's folder |

`${oc.env:NAME}` stands for an environment variable; its value is stored nowhere. `${...}` may also name a constant of
the same file; a file is resolved before the command line is read, so a value that is overridden there does not change
what refers to it."""
