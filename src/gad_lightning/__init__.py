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

from gad_lightning.public_names import NAMES_OF as NAMES_OF

if TYPE_CHECKING:
    from gad_lightning.backbones.base import Backbone as Backbone
    from gad_lightning.backbones.causal_lm import CausalLM as CausalLM
    from gad_lightning.backbones.connector import Connector as Connector
    from gad_lightning.backbones.connector import MLPConnector as MLPConnector
    from gad_lightning.backbones.multimodal import MultimodalLM as MultimodalLM
    from gad_lightning.backbones.multimodal import PretrainedConnector as PretrainedConnector
    from gad_lightning.backbones.tiny import TinyBackbone as TinyBackbone
    from gad_lightning.backbones.vision_tower import VisionTower as VisionTower
    from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier as OrderedGADClassifier
    from gad_lightning.classifiers.ablations.orders import WriteContextFirst as WriteContextFirst
    from gad_lightning.classifiers.ablations.orders import WriteParallel as WriteParallel
    from gad_lightning.classifiers.ablations.two_stage import TwoStageClassifier as TwoStageClassifier
    from gad_lightning.classifiers.base import Classifier as Classifier
    from gad_lightning.classifiers.choosing_context.ranking import ContextRanking as ContextRanking
    from gad_lightning.classifiers.choosing_context.ranking import ContextScore as ContextScore
    from gad_lightning.classifiers.choosing_context.ranking import rank_contexts as rank_contexts
    from gad_lightning.classifiers.detection import Detection as Detection
    from gad_lightning.classifiers.detection import Stretch as Stretch
    from gad_lightning.classifiers.discriminative import DiscriminativeClassifier as DiscriminativeClassifier
    from gad_lightning.classifiers.gad import GADClassifier as GADClassifier
    from gad_lightning.classifiers.generative import GenerativeClassifier as GenerativeClassifier
    from gad_lightning.classifiers.predictions import PredictionWriter as PredictionWriter
    from gad_lightning.classifiers.saving.model_card import CardFacts as CardFacts
    from gad_lightning.classifiers.saving.model_card import class_results as class_results
    from gad_lightning.classifiers.schedule import PaperAdamW as PaperAdamW
    from gad_lightning.data.arrays import ArrayFrames as ArrayFrames
    from gad_lightning.data.base import ActionDataModule as ActionDataModule
    from gad_lightning.data.benchmarks.actions import BenchmarkActions as BenchmarkActions
    from gad_lightning.data.benchmarks.coin import COIN as COIN
    from gad_lightning.data.benchmarks.crosstask import CrossTask as CrossTask
    from gad_lightning.data.benchmarks.ego4d_goalstep import Ego4DGoalStep as Ego4DGoalStep
    from gad_lightning.data.benchmarks.epic_kitchens100 import EPICKitchens100 as EPICKitchens100
    from gad_lightning.data.benchmarks.thumos14 import THUMOS14 as THUMOS14
    from gad_lightning.data.benchmarks.videos import BenchmarkVideos as BenchmarkVideos
    from gad_lightning.data.own import OwnVideos as OwnVideos
    from gad_lightning.data.records import FeatureSource as FeatureSource
    from gad_lightning.data.records import Queries as Queries
    from gad_lightning.data.records import Timeline as Timeline
    from gad_lightning.data.records import VideoRecord as VideoRecord
    from gad_lightning.data.simulated.dials import SimulatedDials as SimulatedDials
    from gad_lightning.data.simulated.features import SimulatedFeatures as SimulatedFeatures
    from gad_lightning.data.simulated.timelines import SyntheticTimelines as SyntheticTimelines
    from gad_lightning.data.toy import KitchenVideos as KitchenVideos
    from gad_lightning.data.toy import ToyActions as ToyActions
    from gad_lightning.decisions.best_path import BestPath as BestPath
    from gad_lightning.decisions.handing_over import HandedOver as HandedOver
    from gad_lightning.decisions.handing_over import HandOver as HandOver
    from gad_lightning.decisions.handing_over import WrittenText as WrittenText
    from gad_lightning.decisions.label_sets import ConformalLabels as ConformalLabels
    from gad_lightning.decisions.path import Decisions as Decisions
    from gad_lightning.decisions.path import Event as Event
    from gad_lightning.decisions.path import FittedOn as FittedOn
    from gad_lightning.decisions.risk import RiskControl as RiskControl
    from gad_lightning.decisions.smoothing import Smoothing as Smoothing
    from gad_lightning.decisions.steady import Steadiness as Steadiness
    from gad_lightning.decisions.steady import SteadyLabels as SteadyLabels
    from gad_lightning.decisions.steady import SwitchCost as SwitchCost
    from gad_lightning.decisions.switches import MinimumDuration as MinimumDuration
    from gad_lightning.decisions.temperature import Temperature as Temperature
    from gad_lightning.decisions.thresholds import AlarmThresholds as AlarmThresholds
    from gad_lightning.decisions.thresholds import ClassCost as ClassCost
    from gad_lightning.decisions.thresholds import Thresholds as Thresholds
    from gad_lightning.errors import CheckpointError as CheckpointError
    from gad_lightning.errors import DataError as DataError
    from gad_lightning.errors import GadError as GadError
    from gad_lightning.errors import MissingDataError as MissingDataError
    from gad_lightning.errors import NotFiniteError as NotFiniteError
    from gad_lightning.errors import SettingError as SettingError
    from gad_lightning.heads.base import ClassifierHead as ClassifierHead
    from gad_lightning.heads.cosine import CosineHead as CosineHead
    from gad_lightning.heads.factor import FactorHead as FactorHead
    from gad_lightning.heads.linear import LinearHead as LinearHead
    from gad_lightning.heads.mlp import MLPHead as MLPHead
    from gad_lightning.heads.text import TextHead as TextHead
    from gad_lightning.heads.vocabulary import VocabularyHead as VocabularyHead
    from gad_lightning.kernels.alignment import AlignmentKernel as AlignmentKernel
    from gad_lightning.kernels.base import SequenceKernel as SequenceKernel
    from gad_lightning.kernels.base import SliceDistance as SliceDistance
    from gad_lightning.kernels.base import Slices as Slices
    from gad_lightning.kernels.label_match import LabelMatch as LabelMatch
    from gad_lightning.kernels.mean_similarity import MeanSimilarity as MeanSimilarity
    from gad_lightning.kernels.triple import TripleKernel as TripleKernel
    from gad_lightning.metrics.accuracy import Top1 as Top1
    from gad_lightning.metrics.accuracy import TopK as TopK
    from gad_lightning.metrics.alarm_curve import AlarmCurve as AlarmCurve
    from gad_lightning.metrics.answer_readiness import AnswerReadiness as AnswerReadiness
    from gad_lightning.metrics.calibration_error import CalibrationError as CalibrationError
    from gad_lightning.metrics.detection_delay import DetectionDelay as DetectionDelay
    from gad_lightning.metrics.detection_delay import FalseAlarmsPerHour as FalseAlarmsPerHour
    from gad_lightning.metrics.error_diversity import ErrorDiversity as ErrorDiversity
    from gad_lightning.metrics.frame_map import FrameMAP as FrameMAP
    from gad_lightning.metrics.frame_metric import FrameMetric as FrameMetric
    from gad_lightning.metrics.frame_metric import LabelMetric as LabelMetric
    from gad_lightning.metrics.open_set import OpenSet as OpenSet
    from gad_lightning.metrics.point_f1 import PointF1 as PointF1
    from gad_lightning.metrics.seen_unseen import SeenUnseen as SeenUnseen
    from gad_lightning.metrics.segment_f1 import SegmentF1 as SegmentF1
    from gad_lightning.metrics.set_coverage import SetCoverage as SetCoverage
    from gad_lightning.metrics.video_risk import VideoRisk as VideoRisk
    from gad_lightning.objectives.base import ClassObjective as ClassObjective
    from gad_lightning.objectives.base import Objective as Objective
    from gad_lightning.objectives.contrast_text import ContrastText as ContrastText
    from gad_lightning.objectives.previous_action_head import PreviousActionHead as PreviousActionHead
    from gad_lightning.objectives.remember_text import RememberText as RememberText
    from gad_lightning.objectives.slices import ActionSlices as ActionSlices
    from gad_lightning.objectives.slices import FrameSlices as FrameSlices
    from gad_lightning.objectives.slices import SliceSource as SliceSource
    from gad_lightning.objectives.structure_induced import StructureInduced as StructureInduced
    from gad_lightning.objectives.truncated_smoothing import TruncatedSmoothing as TruncatedSmoothing
    from gad_lightning.objectives.write_answer import WriteAnswer as WriteAnswer
    from gad_lightning.parts import Part as Part
    from gad_lightning.pictures.timelines import draw_timelines as draw_timelines
    from gad_lightning.prompts.answers import AnswerWriter as AnswerWriter
    from gad_lightning.prompts.contexts.auto import AutoContext as AutoContext
    from gad_lightning.prompts.contexts.base import AuxiliaryContext as AuxiliaryContext
    from gad_lightning.prompts.contexts.base import ContextQuery as ContextQuery
    from gad_lightning.prompts.contexts.goal import GoalContext as GoalContext
    from gad_lightning.prompts.contexts.joined import JoinedContexts as JoinedContexts
    from gad_lightning.prompts.contexts.next import NextActions as NextActions
    from gad_lightning.prompts.contexts.no_context import NoContext as NoContext
    from gad_lightning.prompts.contexts.previous import PreviousActions as PreviousActions
    from gad_lightning.prompts.contexts.published_previous_action import (
        PublishedPreviousAction as PublishedPreviousAction,
    )
    from gad_lightning.prompts.labels.base import LabelTokens as LabelTokens
    from gad_lightning.prompts.labels.compressed import CompressedLabels as CompressedLabels
    from gad_lightning.prompts.labels.random import RandomLabels as RandomLabels
    from gad_lightning.prompts.labels.shuffled import ShuffledLabels as ShuffledLabels
    from gad_lightning.prompts.labels.single_token import SingleTokenLabels as SingleTokenLabels
    from gad_lightning.prompts.labels.words import WordLabels as WordLabels
    from gad_lightning.prompts.memory import VerbalizedMemory as VerbalizedMemory
    from gad_lightning.prompts.neighbors import NeighborTexts as NeighborTexts
    from gad_lightning.prompts.prompt import Prompt as Prompt
    from gad_lightning.prompts.slots.anchor_frame import AnchorFrameSlot as AnchorFrameSlot
    from gad_lightning.prompts.slots.base import Slot as Slot
    from gad_lightning.prompts.slots.last_visual import LastVisualSlot as LastVisualSlot
    from gad_lightning.prompts.slots.learned import LearnedSlot as LearnedSlot
    from gad_lightning.prompts.slots.window_mean import WindowMeanSlot as WindowMeanSlot
    from gad_lightning.readouts.base import BranchDecoder as BranchDecoder
    from gad_lightning.readouts.base import Readout as Readout
    from gad_lightning.readouts.likelihood import LikelihoodReadout as LikelihoodReadout
    from gad_lightning.readouts.nearest import NearestReadout as NearestReadout
    from gad_lightning.readouts.trie import TrieReadout as TrieReadout
    from gad_lightning.rejection.base import RejectionScore as RejectionScore
    from gad_lightning.rejection.energy import EnergyScore as EnergyScore
    from gad_lightning.rejection.generalized_entropy import GeneralizedEntropyScore as GeneralizedEntropyScore
    from gad_lightning.rejection.mahalanobis import MahalanobisScore as MahalanobisScore
    from gad_lightning.rejection.max_logit import MaxLogitScore as MaxLogitScore
    from gad_lightning.rejection.max_softmax import MaxSoftmaxScore as MaxSoftmaxScore
    from gad_lightning.rejection.neighbors import NeighborScore as NeighborScore
    from gad_lightning.rejection.virtual_logit import ViMScore as ViMScore
    from gad_lightning.report.tracking import Tracker as Tracker
    from gad_lightning.retrieval.moment_index import IndexFacts as IndexFacts
    from gad_lightning.retrieval.moment_index import MomentIndex as MomentIndex
    from gad_lightning.retrieval.moment_index import Neighbors as Neighbors
    from gad_lightning.retrieval.votes import NeighborVotes as NeighborVotes
    from gad_lightning.schema import DataSchema as DataSchema
    from gad_lightning.schema import FeatureSpec as FeatureSpec
    from gad_lightning.schema import LabelSet as LabelSet
    from gad_lightning.schema import Task as Task
    from gad_lightning.schema import Windows as Windows
    from gad_lightning.search.answers import NeighborAnswers as NeighborAnswers
    from gad_lightning.search.answers import votes_of as votes_of
    from gad_lightning.segments import Segment as Segment
    from gad_lightning.segments import frames_between as frames_between
    from gad_lightning.segments import paint as paint
    from gad_lightning.streaming.detector import OnlineDetector as OnlineDetector
    from gad_lightning.streaming.gates.base import Gate as Gate
    from gad_lightning.streaming.gates.base import Glimpse as Glimpse
    from gad_lightning.streaming.gates.event_gate import EventGate as EventGate
    from gad_lightning.streaming.gates.every_nth import EveryNth as EveryNth
    from gad_lightning.streaming.gates.feature_change import FeatureChange as FeatureChange
    from gad_lightning.streaming.gates.fitting import fit_gate as fit_gate
    from gad_lightning.training.exact_resume import ExactResume as ExactResume
    from gad_lightning.training.interruption import Interruption as Interruption
    from gad_lightning.types import IGNORED as IGNORED
    from gad_lightning.types import Batch as Batch
    from gad_lightning.types import Loss as Loss
    from gad_lightning.types import Predictions as Predictions
    from gad_lightning.types import Tokens as Tokens
    from gad_lightning.types import Vocabulary as Vocabulary
    from gad_lightning.video.base import Frame as Frame
    from gad_lightning.video.base import FrameSource as FrameSource
    from gad_lightning.video.decode import VideoFile as VideoFile
    from gad_lightning.video.encoders import Encoder as Encoder
    from gad_lightning.video.encoders import SmallEncoder as SmallEncoder
    from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder as HuggingFaceEncoder
    from gad_lightning.video.kitchen.synthetic import render_kitchen as render_kitchen
    from gad_lightning.video.live import LiveSource as LiveSource

__version__ = "0.1.0"

_HOME_OF = {name: module for module, names in NAMES_OF.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a public name at its first use; one of an earlier version gives what it is called today."""
    from gad_lightning.parts import RENAMED

    name = RENAMED.get(name, name)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
