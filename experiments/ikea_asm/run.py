"""Trains one classifier on fold 0 of IKEA ASM on a GPU and tests it: SmolLM2-135M reads what eight video models said.

    python ../shared/data/real/ikea_asm/prepare.py ../shared/data/real/ikea_asm runs/ikea_asm --causal
    python experiments/ikea_asm/smollm.py SmolLM2-135M-Instruct.Q4_1.gguf runs/smollm2
    python experiments/ikea_asm/run.py discriminative runs/ikea_asm runs/smollm2

Nothing is chosen on any split: the weights of the last step are tested. Figures go to
``experiments/ikea_asm/results/<classifier>_<seed>.json``. The data are for research only: neither they nor weights
trained on them are to be passed on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from measure import peak_megabytes, surroundings  # isort: skip  # sets how threads wait, before torch is there
from lightning import Trainer, seed_everything

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.classifiers.schedule import PaperAdamW
from gad_lightning.data.own import OwnVideos
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.prompt import Prompt

KINDS: dict[str, tuple[type[Classifier], dict[str, Any]]] = {
    "discriminative": (DiscriminativeClassifier, {}),
    "gad": (GADClassifier, {"context": PreviousActions()}),
    "generative": (GenerativeClassifier, {"answer_fraction": 0.125}),
}


def made(given: argparse.Namespace, data: OwnVideos) -> Classifier:
    """A classifier for the data; its LoRA is in float32, the language model in bfloat16."""
    lora = {"r": 32, "lora_alpha": 64, "lora_dropout": 0.05}
    kind, more = KINDS[given.kind]
    backbone = CausalLM(str(given.model), lora=lora, dtype=given.dtype, lora_on_head=given.kind != "discriminative")
    return kind(
        backbone=backbone,
        schema=data.schema,
        prompt=Prompt(question="action?"),
        optimizer=lambda weights: PaperAdamW(weights, lr=given.lr, weight_decay=0.01),
        **more,
    )


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--max_time", help="DD:HH:MM:SS after which training stops")
    parser.add_argument("--commit", help="of what is run, where there is no repository")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args()


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Train and test."""
    loading: dict[str, Any] = {"window": given.window, "chunk": 256, "batch_size": 8, "num_workers": 2}
    data = OwnVideos(given.data, mode="one_pass", seed=given.seed, standardize=False, val_share=0.0, **loading)
    data.prepare_data()
    data.setup("fit")
    classifier = made(given, data)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    own: dict[str, Any] = {"max_epochs": given.epochs, "max_time": given.max_time, "precision": given.precision}
    trainer = Trainer(gradient_clip_val=1.0, devices=1, **own, **quiet)
    start = time.perf_counter()
    trainer.fit(classifier, data)
    found = {"fit_seconds": time.perf_counter() - start, "steps": trainer.global_step, "epochs": trainer.current_epoch}
    found["peak_mb"] = peak_megabytes()
    (scores,) = trainer.test(classifier, data)
    return {"device_used": classifier.device.type, **found, "scores": scores}


def main() -> None:
    """Run and store."""
    given = asked()
    seed_everything(given.seed, verbose=False)
    found = run(given)
    settings = {name: str(value) for name, value in vars(given).items() if name not in ("output", "data", "model")}
    where = {**surroundings(), **({"commit": given.commit} if given.commit else {})}
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / f"{given.kind}_{given.seed}.json"
    path.write_text(json.dumps({"surroundings": where, "settings": settings, **found}, indent=1) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
