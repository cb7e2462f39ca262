"""Metrics as torchmetrics classes, exact on any number of processes; ``functional`` has them as pure functions."""

from gad_lightning.metrics.accuracy import Top1, TopK
from gad_lightning.metrics.alarm_curve import AlarmCurve
from gad_lightning.metrics.answer_readiness import AnswerReadiness
from gad_lightning.metrics.calibration_error import CalibrationError
from gad_lightning.metrics.detection_delay import DetectionDelay, FalseAlarmsPerHour
from gad_lightning.metrics.error_diversity import ErrorDiversity
from gad_lightning.metrics.frame_map import FrameMAP
from gad_lightning.metrics.open_set import OpenSet
from gad_lightning.metrics.point_f1 import PointF1
from gad_lightning.metrics.seen_unseen import SeenUnseen
from gad_lightning.metrics.segment_f1 import SegmentF1
from gad_lightning.metrics.set_coverage import SetCoverage
from gad_lightning.metrics.video_risk import VideoRisk

__all__ = [
    "AlarmCurve",
    "AnswerReadiness",
    "CalibrationError",
    "DetectionDelay",
    "ErrorDiversity",
    "FalseAlarmsPerHour",
    "FrameMAP",
    "OpenSet",
    "PointF1",
    "SeenUnseen",
    "SegmentF1",
    "SetCoverage",
    "Top1",
    "TopK",
    "VideoRisk",
]
