"""The same numbers to the last bit on 1, 2, 3 and 4 processes, through a real Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader, Subset, TensorDataset
from torch.utils.data.distributed import DistributedSampler
from torchmetrics import MetricCollection

from gad_lightning.metrics import (
    AnswerReadiness,
    CalibrationError,
    DetectionDelay,
    ErrorDiversity,
    FalseAlarmsPerHour,
    FrameMAP,
    PointF1,
    SegmentF1,
    Top1,
    TopK,
    VideoRisk,
)

CLASSES, FPS = 7, 4.0
LENGTHS = (1, 90, 13, 40, 7, 60)


def made_up() -> TensorDataset:
    """Scores, targets and keys of six videos of very different length, ignored frames among them."""
    draw = torch.Generator().manual_seed(3)
    target = torch.randint(0, CLASSES, (sum(LENGTHS) // 6 + 1,), generator=draw).repeat_interleave(6)[: sum(LENGTHS)]
    scores = torch.randn(len(target), CLASSES, generator=draw) + 2 * torch.eye(CLASSES)[target.roll(1)]
    target[torch.rand(len(target), generator=draw) < 0.05] = -1
    video = torch.arange(len(LENGTHS)).repeat_interleave(torch.tensor(LENGTHS))
    frame = torch.cat([torch.arange(length) for length in LENGTHS])
    return TensorDataset(scores.log_softmax(-1), target, video, frame)


def collections() -> torch.nn.ModuleList:
    """Every metric of labels, and every metric of scores."""
    made: dict[str, Any] = {
        "segments": SegmentF1(CLASSES, ignore_index=-1, class_counts=[0, 5, 50, 500, 0, 5, 50]),
        "points": PointF1(CLASSES, 0.25, fps=FPS, ignore_index=-1, average="macro"),
        "accuracy": Top1(CLASSES, ignore_index=-1),
        "errors": ErrorDiversity(CLASSES, ignore_index=-1, at_errors=2),
        "delay": DetectionDelay(CLASSES, fps=FPS, ignore_index=-1),
        "alarms": FalseAlarmsPerHour(CLASSES, fps=FPS, ignore_index=-1),
        "readiness": AnswerReadiness(CLASSES, fps=FPS, ignore_index=-1),
        "risk": VideoRisk(CLASSES, fps=FPS, ignore_index=-1),
    }
    ranked = {
        "map": FrameMAP(CLASSES, ignore_index=-1, calibrated=True, smooth_frames=3),
        "top3": TopK(CLASSES, k=3, ignore_index=-1),
        "calibration": CalibrationError(CLASSES, ignore_index=-1),
    }
    return torch.nn.ModuleList([MetricCollection(made), MetricCollection(ranked)])


class Reader(pl.LightningModule):
    """Reads two loaders: videos shared out by hand, none for the last process, and frames by Lightning's sampler."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.by_hand, self.by_sampler = collections(), collections()

    def test_dataloader(self) -> list[DataLoader[tuple[Tensor, ...]]]:
        data, rank, world = made_up(), self.trainer.global_rank, self.trainer.world_size
        mine = (data.tensors[2] % max(world - 1, 1) == rank).nonzero().flatten().tolist()
        repeating = DistributedSampler(data, world, rank, shuffle=True, seed=1)
        assert world == 1 or len(repeating) * world > len(data) or len(data) % world == 0
        return [DataLoader(Subset(data, mine[::-1]), 16), DataLoader(data, 8, sampler=repeating)]

    def test_step(self, batch: tuple[Tensor, ...], index: int, dataloader_idx: int = 0) -> None:
        scores, target, video, frame = batch
        labeled, ranked = (self.by_hand, self.by_sampler)[dataloader_idx]
        labeled.update(scores.argmax(-1), target, video, frame)
        ranked.update(scores, target, video, frame)

    def on_test_epoch_end(self) -> None:
        results = {}
        for name, group in (("by hand", self.by_hand), ("by sampler", self.by_sampler)):
            values = {key: value for collection in group for key, value in collection.compute().items()}
            self.log_dict({f"{name}/{key}": value for key, value in values.items()})
            details = {key: metric.details() for collection in group for key, metric in collection.items()}
            results[name] = {"values": values, "details": details}
        torch.save(results, self.folder / f"{self.trainer.world_size}-{self.trainer.global_rank}.pt")


def bits(found: Any) -> Any:
    """The same structure with every tensor as its type, shape and bytes, so that nan equals itself."""
    if isinstance(found, Tensor):
        return str(found.dtype), tuple(found.shape), found.numpy().tobytes()
    return {key: bits(value) for key, value in found.items()}


def read(folder: Path, processes: int) -> list[Any]:
    """Test on so many processes and return what each of them says of each loader."""
    several = DDPStrategy(process_group_backend="gloo", start_method="spawn") if processes > 1 else "auto"
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy=several,
        use_distributed_sampler=False,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.test(Reader(folder), verbose=False)
    ranks = [torch.load(folder / f"{processes}-{rank}.pt", weights_only=True) for rank in range(processes)]
    return [bits(rank[name]) for rank in ranks for name in ("by hand", "by sampler")]


@pytest.mark.parametrize(
    "processes",
    [
        2,
        pytest.param(3, marks=pytest.mark.slow(reason="starting three processes takes most of a minute on two cores")),
        pytest.param(4, marks=pytest.mark.slow(reason="starting four processes takes most of a minute on two cores")),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of Lightning about workers and of torchmetrics about the idle process
def test_processes_agree_to_the_last_bit(processes: int, tmp_path: Path) -> None:
    alone = read(tmp_path, 1)
    assert alone[0] == alone[1]
    for said in read(tmp_path, processes):
        assert said == alone[0]
