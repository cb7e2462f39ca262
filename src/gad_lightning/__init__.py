"""Online action classification with language models: generative, discriminative, and GAD.

The public names are served lazily: importing this package alone imports no torch.

Example:
    >>> from gad_lightning import LabelSet
    >>> LabelSet(("background", "add salt"), background=0).names
    ('background', 'add salt')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gad_lightning.backbones.base import Backbone as Backbone
    from gad_lightning.backbones.causal_lm import CausalLM as CausalLM
    from gad_lightning.backbones.tiny import TinyBackbone as TinyBackbone
    from gad_lightning.classifiers.base import Classifier as Classifier
    from gad_lightning.classifiers.discriminative import DiscriminativeClassifier as DiscriminativeClassifier
    from gad_lightning.classifiers.gad import GADClassifier as GADClassifier
    from gad_lightning.classifiers.generative import GenerativeClassifier as GenerativeClassifier
    from gad_lightning.classifiers.predictions import PredictionWriter as PredictionWriter
    from gad_lightning.data.base import ActionDataModule as ActionDataModule
    from gad_lightning.data.own import OwnVideos as OwnVideos
    from gad_lightning.data.toy import KitchenVideos as KitchenVideos
    from gad_lightning.data.toy import ToyActions as ToyActions
    from gad_lightning.errors import GadError as GadError
    from gad_lightning.heads.base import ClassifierHead as ClassifierHead
    from gad_lightning.heads.linear import LinearHead as LinearHead
    from gad_lightning.heads.vocabulary import VocabularyHead as VocabularyHead
    from gad_lightning.objectives.base import Objective as Objective
    from gad_lightning.objectives.write_answer import WriteAnswer as WriteAnswer
    from gad_lightning.prompts.contexts.base import AuxiliaryContext as AuxiliaryContext
    from gad_lightning.prompts.contexts.goal import Goal as Goal
    from gad_lightning.prompts.contexts.next import Next as Next
    from gad_lightning.prompts.contexts.nothing import Nothing as Nothing
    from gad_lightning.prompts.contexts.previous import Previous as Previous
    from gad_lightning.prompts.labels.base import LabelTokens as LabelTokens
    from gad_lightning.prompts.labels.single import Single as Single
    from gad_lightning.prompts.labels.words import Words as Words
    from gad_lightning.prompts.prompt import Prompt as Prompt
    from gad_lightning.readouts.base import Readout as Readout
    from gad_lightning.readouts.nearest import Nearest as Nearest
    from gad_lightning.readouts.trie import Trie as Trie
    from gad_lightning.schema import DataSchema as DataSchema
    from gad_lightning.schema import FeatureSpec as FeatureSpec
    from gad_lightning.schema import LabelSet as LabelSet
    from gad_lightning.schema import Task as Task
    from gad_lightning.schema import Windows as Windows
    from gad_lightning.streaming.detector import OnlineDetector as OnlineDetector
    from gad_lightning.video.encoders import Encoder as Encoder
    from gad_lightning.video.encoders import SmallEncoder as SmallEncoder

__version__ = "0.1.0"

NAMES_OF = {
    "backbones.base": ("Backbone",),
    "backbones.causal_lm": ("CausalLM",),
    "backbones.tiny": ("TinyBackbone",),
    "classifiers.base": ("Classifier",),
    "classifiers.discriminative": ("DiscriminativeClassifier",),
    "classifiers.gad": ("GADClassifier",),
    "classifiers.generative": ("GenerativeClassifier",),
    "classifiers.predictions": ("PredictionWriter",),
    "data.base": ("ActionDataModule",),
    "data.own": ("OwnVideos",),
    "data.toy": ("KitchenVideos", "ToyActions"),
    "errors": ("GadError",),
    "heads.base": ("ClassifierHead",),
    "heads.linear": ("LinearHead",),
    "heads.vocabulary": ("VocabularyHead",),
    "objectives.base": ("Objective",),
    "objectives.write_answer": ("WriteAnswer",),
    "prompts.contexts.base": ("AuxiliaryContext",),
    "prompts.contexts.goal": ("Goal",),
    "prompts.contexts.next": ("Next",),
    "prompts.contexts.nothing": ("Nothing",),
    "prompts.contexts.previous": ("Previous",),
    "prompts.labels.base": ("LabelTokens",),
    "prompts.labels.single": ("Single",),
    "prompts.labels.words": ("Words",),
    "prompts.prompt": ("Prompt",),
    "readouts.base": ("Readout",),
    "readouts.nearest": ("Nearest",),
    "readouts.trie": ("Trie",),
    "schema": ("DataSchema", "FeatureSpec", "LabelSet", "Task", "Windows"),
    "streaming.detector": ("OnlineDetector",),
    "video.encoders": ("Encoder", "SmallEncoder"),
}
"""Where each public name lives; the imports above say the same to type checkers, and a test compares them."""

_HOME_OF = {name: module for module, names in NAMES_OF.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
