"""The published numbers: what the paper's public code computes on the cases of ../shared/golden."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.metrics import FrameMAP, PointF1, SegmentF1, Top1
from gad_lightning.metrics.frame_metric import LabelMetric
from gad_lightning.segments import cut

FILES = sorted((Path(__file__).resolve().parents[3] / "shared" / "golden").glob("metrics_*/*.json"))
CASES = {path.stem: path for path in FILES if path.stem != "manifest"}
KINDS = {name: json.loads(path.read_text())["kind"] for name, path in CASES.items()}
REFERENCES = {"start": "start", "mid": "middle"}
UNROUNDED, ROUNDED = 1e-6, 5.1e-5  # the published points are rounded to 2 digits of a percent


def named(*kinds: str) -> list[str]:
    """The cases of these kinds; a name that is skipped if there is none."""
    return [name for name, kind in KINDS.items() if kind in kinds] or ["no golden files"]


def load(name: str) -> dict[str, Any]:
    """One case."""
    if name not in CASES:
        pytest.skip("the folder ../shared with golden files is not there")
    case: dict[str, Any] = json.loads(CASES[name].read_text())
    return case


def fed(metric: LabelMetric, case: dict[str, Any]) -> Any:
    """Details of a metric that has read all videos of a case, two batches each, the later one first."""
    for number, video in enumerate(case["videos"]):
        frames = torch.arange(len(video["gt"])).flip(0)
        for part in frames.split(max(1, len(frames) // 2)):
            preds, target = torch.tensor(video["pred"])[part], torch.tensor(video["gt"])[part]
            metric.update(preds, target, torch.full_like(part, number), part)
    return metric.details()


def labels_of(case: dict[str, Any]) -> dict[str, Any]:
    """The arguments about labels that the metrics share."""
    return {"num_classes": case["num_classes"], "background": case["background"], "ignore_index": case["ignore"]}


def same(found: Tensor, published: float | None, tolerance: float = UNROUNDED) -> bool:
    """Whether a value is the published percentage; null is nan."""
    if published is None:
        return math.isnan(found)
    return bool(abs(float(found) - published / 100) <= tolerance)


@pytest.mark.parametrize("name", named("random", "hand", "real_timeline_ek100"))
def test_segments(name: str) -> None:
    case = load(name)
    for overlap, expected in case["outputs"]["segment"].items():
        micro, macro = expected["micro"], expected["macro"]
        details = fed(SegmentF1(ignored_frames="published", overlap=float(overlap), **labels_of(case)), case)
        assert [int(details[count]) for count in ("tp", "fp", "fn")] == [micro[count] for count in ("tp", "fp", "fn")]
        for score in ("f1", "precision", "recall"):
            assert same(details[score], micro[score])
            for index in range(case["num_classes"]):
                published = macro["per_class"].get(str(index), {score: 0.0})[score]
                assert same(details["per_class"][score][index], published)
        published_mean = fed(
            SegmentF1(ignored_frames="published", overlap=float(overlap), average="macro_all", **labels_of(case)), case
        )
        for score in ("f1", "precision", "recall"):
            assert same(published_mean[score], macro[f"balanced_{score}"])
        occurring = fed(
            SegmentF1(ignored_frames="published", overlap=float(overlap), average="macro", **labels_of(case)), case
        )
        each = [scores["f1"] for scores in macro["per_class"].values()]
        assert same(occurring["f1"], sum(each) / max(len(each), 1))


@pytest.mark.parametrize("name", named("random", "hand", "real_timeline_ek100"))
def test_points(name: str) -> None:
    case = load(name)
    for published, reference in REFERENCES.items():
        for seconds, expected in case["outputs"]["point"][published].items():
            if seconds.startswith("default"):
                assert expected[2] == pytest.approx([sum(pair) / 2 for pair in zip(*expected[:2], strict=True)])
                continue
            metric = PointF1(
                ignored_frames="published",
                tolerance_seconds=float(seconds),
                fps=case["fps"],
                reference=reference,
                **labels_of(case),
            )
            details = fed(metric, case)
            counts = [int(details[count]) for count in ("tp", "fp", "fn")]
            assert counts == [expected[count] for count in ("tp", "fp", "fn")]
            assert all(same(details[score], expected[score], ROUNDED) for score in ("f1", "precision", "recall"))


@pytest.mark.parametrize("name", named("random", "hand", "real_timeline_ek100"))
def test_frames(name: str) -> None:
    case = load(name)
    details = fed(Top1(**labels_of(case)), case)
    names = {
        "accuracy": "accuracy",
        "bg_rec": "background_recall",
        "fg_rec": "foreground_recall",
        "bg_prec": "background_precision",
        "fg_prec": "foreground_precision",
        "fg_f1": "foreground_f1",
    }
    for published, ours in names.items():
        assert same(details[ours], case["outputs"]["frame"][published]), published
    balanced = case["outputs"]["frame_balanced"]
    for published, ours in {"rec": "recall", "prec": "precision", "f1": "f1"}.items():
        assert same(details[f"mean_{ours}"], balanced[f"mean_{published}"])
        assert same(details[f"mean_foreground_{ours}"], balanced[f"mean_{published}_fg"])
        for index, value in balanced[f"per_class_{published}"].items():
            assert same(details["per_class"][ours][int(index)], value)
        if case["background"] is not None and balanced[f"mean_{published}_bg"] is not None:
            assert same(details["per_class"][ours][case["background"]], balanced[f"mean_{published}_bg"])


@pytest.mark.parametrize("name", named("random", "hand"))
def test_each_video_and_its_segments(name: str) -> None:
    case = load(name)
    skip = {case["background"], case["ignore"]} - {None}
    for number, video in enumerate(case["videos"]):
        alone = {**case, "videos": [video]}
        for overlap, expected in case["outputs"]["segment"].items():
            details = fed(SegmentF1(ignored_frames="published", overlap=float(overlap), **labels_of(case)), alone)
            published = expected["micro"]["per_video_tp_fp_fn"][number]
            assert [int(details[count]) for count in ("tp", "fp", "fn")] == published
        for side, segments in case["outputs"].get("segments", [{}] * len(case["videos"]))[number].items():
            assert [list(segment) for segment in cut(video[side], skip)] == segments["half_open"]


@pytest.mark.parametrize("name", named("frame_map"))
def test_frame_map(name: str) -> None:
    case = load(name)
    classes, options = case["num_classes"], case["postprocessing"] or ""
    if "thumos" in options:  # the published code drops class 21, ambiguous in THUMOS, whatever the data set
        kept: dict[str, Any] = {"ignore_index": 21}
    else:
        kept = {"ignore_index": case["ignore_index"], "ignored_frames": "keep"}
    if "smooth" in options or "both" in options:
        kept["smooth_frames"] = 5
    if "switch" in options or "both" in options:
        kept["also_counts_as"] = {5: 8}
    metric = FrameMAP(classes, **kept)
    frames = torch.arange(len(case["scores"]))
    for part in frames.flip(0).split(37):
        scores, target = torch.tensor(case["scores"])[part], torch.tensor(case["gt_multi_hot"])[part]
        metric.update(scores, target, torch.zeros_like(part), part)
    assert same(metric.compute(), case["outputs"]["mean_AP_percent"])
    each = metric.details()["per_class"]
    published = case["outputs"]["per_class_AP_in_class_order_of_classes_with_positives"]
    assert each[~each.isnan()].tolist() == pytest.approx(published, abs=UNROUNDED)


def check_row(case: dict[str, Any], row: dict[str, Any], points: dict[tuple[str, float], str]) -> None:
    """Check the columns that both kinds of table have; segments are rounded to 1 digit of a percent."""
    overlaps = (0.1, 0.25, 0.5)
    for average, column in (("micro", "ov-F1@10, 25, 50]"), ("macro_all", "bal-F1@10, 25, 50]")):
        for overlap, published in zip(overlaps, row.get(column, ()), strict=False):
            found = fed(
                SegmentF1(ignored_frames="published", overlap=overlap, average=average, **labels_of(case)), case
            )["f1"]
            assert same(found, published, 5.1e-4)
    for (reference, seconds), column in points.items():
        metric = PointF1(
            ignored_frames="published",
            tolerance_seconds=seconds,
            fps=case["fps"],
            reference=reference,
            **labels_of(case),
        )
        details = fed(metric, case)
        for score, published in zip(("f1", "precision", "recall"), row[column], strict=True):
            assert same(details[score], published, ROUNDED)


@pytest.mark.parametrize("name", named("table"))
def test_table(name: str) -> None:
    case = load(name)
    row = case["outputs"]
    columns = {
        ("start", 1.0): "[F1, prec, rec] Start_1s",
        ("start", 2.0): "s2s",
        ("middle", 1.0): "Mid_1s",
        ("middle", 2.0): "m2s",
    }
    check_row(case, row, columns)
    details = fed(Top1(**labels_of(case)), case)
    frames = {
        "[Frame]- Acc": "accuracy",
        "bg_rec": "background_recall",
        "fg_rec": "foreground_recall",
        "ov_f1": "foreground_f1",
        "bal_F1": "mean_f1",
        "bal_F1_fg": "mean_foreground_f1",
    }
    for published, ours in frames.items():
        assert same(details[ours], row[published]), published


@pytest.mark.parametrize("name", named("table_from_scores"))
def test_table_from_scores(name: str) -> None:
    case = load(name)
    metric = FrameMAP(case["num_classes"], ignore_index=21)  # also where 21 is an action: the published bug, on purpose
    for number, video in enumerate(case["videos"]):
        scores, target = torch.tensor(video["scores"]), torch.tensor(video["gt_multi_hot"])
        frames = torch.arange(len(scores))
        metric.update(scores, target, torch.full_like(frames, number), frames)
        first = target.argmax(1)
        if case["ignore"] is not None:
            first = first.where(target[:, case["ignore"]] == 0, case["ignore"])
        video |= {"pred": scores.argmax(1).tolist(), "gt": first.tolist()}
    row = case["outputs"]
    assert same(metric.compute(), row["[Frame]- mAP"])
    assert same(fed(Top1(**labels_of(case)), case)["accuracy"], row["Acc"])
    for overlap, published in zip((0.1, 0.25, 0.5), row["[Seg] - ov-F1@10, 25, 50]"], strict=True):
        assert same(
            fed(SegmentF1(ignored_frames="published", overlap=overlap, **labels_of(case)), case)["f1"],
            published,
            5.1e-4,
        )
    for seconds, published in zip((1.0, 2.0), row["[Pint] - F1@Start 1, 2"], strict=True):
        metric = PointF1(ignored_frames="published", tolerance_seconds=seconds, fps=case["fps"], **labels_of(case))
        assert same(fed(metric, case)["f1"], published, 5.1e-4)


def test_every_case_is_of_a_kind_that_is_tested(shared: Path) -> None:
    kinds = {"random", "hand", "real_timeline_ek100", "frame_map", "table", "table_from_scores"}
    assert set(KINDS.values()) <= kinds
