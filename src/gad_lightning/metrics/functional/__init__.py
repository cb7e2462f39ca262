"""The metrics as pure functions; the classes beside this package only keep state for them."""

from gad_lightning.metrics.functional.accuracy import top1, top_k
from gad_lightning.metrics.functional.calibration import calibration_error
from gad_lightning.metrics.functional.detection_delay import detection_delay, false_alarms_per_hour
from gad_lightning.metrics.functional.error_diversity import error_diversity
from gad_lightning.metrics.functional.frame_map import MapRule, average_precision, frame_map
from gad_lightning.metrics.functional.open_set import open_set_scores
from gad_lightning.metrics.functional.point_f1 import point_f1
from gad_lightning.metrics.functional.segment_f1 import segment_f1

__all__ = [
    "MapRule",
    "average_precision",
    "calibration_error",
    "detection_delay",
    "error_diversity",
    "false_alarms_per_hour",
    "frame_map",
    "open_set_scores",
    "point_f1",
    "segment_f1",
    "top1",
    "top_k",
]
