"""Trains Disc and GAD with every context, and stores a row a run; what is stored is not run again.

    python experiments/structure/prepare.py runs/ikea_asm/0 runs/ikea_asm/1 --target runs/contexts/ikea
    python experiments/contexts/run.py dials
    python experiments/contexts/run.py ikea --seeds 0 1 --arms disc previous all
    python experiments/contexts/run.py ikea --seeds 0 --most 3        # exits with 3 if some are left

``dials`` and ``kitchen`` need no files; ``ikea`` and ``jigsaws`` are read from ``--home``. Rows lie in ``--rows``, one
JSON file each, and the checkpoints of Disc beside them, for ``score.py``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from candidates import DATA, DISC, contexts_of, trained

from gad_lightning.atomic import make_folder
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.compare.record import surroundings
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.metrics.functional.frames import FrameTable, video_breaks
from gad_lightning.results.standard import SEGMENT_F1, TOP1, space_of
from gad_lightning.results.tables import write_json

Counts = dict[str, list[list[float]]]
"""By measure, a row a test video: what its score is made of."""


def measured(classifier: Classifier, data: ActionDataModule, split: Split = "test") -> Counts:
    """Score a split."""
    columns: list[tuple[torch.Tensor, ...]] = []
    classifier.eval()
    with torch.inference_mode():
        for batch in batches_of(data.dataset(split), data.eval_batch_size, classifier.device):
            found = classifier.scores(batch).cpu()
            columns.append((found.video, found.frame, found.label, found.target))
    video, frame, label, target = (torch.cat(part) for part in zip(*columns, strict=True))
    order = torch.from_numpy(np.lexsort((frame.numpy(), video.numpy())))
    task, fps = data.schema.tasks[0], data.schema.features.fps
    space = space_of(task)
    counts: Counts = {TOP1.name: [], SEGMENT_F1.name: []}
    for number in sorted(set(video.tolist())):
        own = order[video[order] == number]
        table = FrameTable(label[own], target[own], video[own], frame[own], video_breaks(video[own], frame[own]))
        for metric in (TOP1, SEGMENT_F1):
            counts[metric.name].append(metric.counts(table, space, fps).double().tolist())
    return counts


def run(home: Path, rows: Path, data: str, arm: str, seed: int) -> None:
    """Train, measure, store."""
    began = time.perf_counter()
    module = DATA[data].make(home, seed)
    with tempfile.TemporaryDirectory() as folder:
        classifier = trained(data, module, arm, seed, Path(folder))
        kept = Path(folder) / f"{data}-{seed}.ckpt"
        if kept.is_file():
            (make_folder(rows / "disc") / kept.name).write_bytes(kept.read_bytes())
    fitted = time.perf_counter()
    counts = measured(classifier, module)
    facts: dict[str, Any] = {"data": data, "arm": arm, "seed": seed, "fit_seconds": round(fitted - began, 1)}
    write_json(target_of(rows, data, arm, seed), {**facts, **surroundings(), "counts": counts})
    hits, asked = np.array(counts[TOP1.name])[:, :2].sum(0)
    print(f"{data} {arm} seed {seed}: Top-1 {hits / asked:.3f}, {fitted - began:.0f} s", flush=True)


def target_of(rows: Path, data: str, arm: str, seed: int) -> Path:
    """File of a row."""
    return rows / f"{data}-{arm.replace(', ', '+').replace(' ', '_')}-{seed}.json"


def read_rows(rows: Path) -> list[dict[str, Any]]:
    """All rows that are stored."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(rows.glob("*.json"))]


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=list(DATA))
    parser.add_argument("--home", type=Path, default=Path("runs/contexts"), help="folder of the prepared data")
    parser.add_argument("--rows", type=Path, default=Path("runs/contexts/rows"), help="folder of the rows")
    parser.add_argument("--arms", nargs="+", help="disc and all contexts if left out")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--most", type=int, help="runs after which it ends; exits with 3 if some are left")
    given = parser.parse_args()
    make_folder(given.rows)
    arms = given.arms or [DISC, *contexts_of(given.data)]
    jobs = [(arm, seed) for seed in given.seeds for arm in arms]
    missing = [job for job in jobs if not target_of(given.rows, given.data, *job).is_file()]
    for arm, seed in missing[: given.most]:
        run(given.home, given.rows, given.data, arm, seed)
    sys.exit(3 if given.most is not None and len(missing) > given.most else 0)


if __name__ == "__main__":
    main()
