"""Ranks the contexts by the stored runs of Disc, on the validation videos; what is stored is not scored again.

python experiments/contexts/score.py dials ikea kitchen
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from candidates import ALL, DATA, contexts_of

from gad_lightning import Classifier, DiscriminativeClassifier, rank_contexts
from gad_lightning.atomic import make_folder
from gad_lightning.compare.record import surroundings
from gad_lightning.results.tables import write_json


def score(home: Path, data: str, checkpoint: Path, target: Path, seed: int) -> None:
    """Rank all contexts of a data set and store the scores."""
    module = DATA[data].make(home, seed)
    classifier = Classifier.load_from_checkpoint(checkpoint)
    assert isinstance(classifier, DiscriminativeClassifier), "run.py stores runs of Disc"
    named = {name: context for name, context in contexts_of(data).items() if name != "label"}
    began = time.perf_counter()
    ranking = rank_contexts(classifier, module, list(named.values()))
    taken = round(time.perf_counter() - began, 1)
    found = {name: next(one for one in ranking.scores if one.context is context) for name, context in named.items()}
    scores = {name: {"score": one.score, "told": one.told, "shown": one.shown} for name, one in found.items()}
    label = {"score": ranking.label.score, "told": ranking.label.told, "shown": ranking.label.shown}
    facts = {"data": data, "seed": seed, "videos": ranking.videos, "moments": ranking.moments, "seconds": taken}
    write_json(target, {**facts, **surroundings(), "scores": {"label": label, **scores}})
    best = max((name for name in scores if name != ALL), key=lambda name: scores[name]["score"].value)
    print(f"{data} seed {seed}: {best} of {len(named)} contexts, {taken} s", flush=True)


def main() -> None:
    """Score what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", choices=list(DATA))
    parser.add_argument("--home", type=Path, default=Path("runs/contexts"), help="folder of the prepared data")
    parser.add_argument("--rows", type=Path, default=Path("runs/contexts/rows"), help="folder of run.py's rows")
    given = parser.parse_args()
    folder = make_folder(given.rows / "scores")
    for data in given.data:
        for checkpoint in sorted((given.rows / "disc").glob(f"{data}-*.ckpt")):
            target = folder / f"{checkpoint.stem}.json"
            if not target.is_file():
                score(given.home, data, checkpoint, target, int(checkpoint.stem.rpartition("-")[2]))


if __name__ == "__main__":
    main()
