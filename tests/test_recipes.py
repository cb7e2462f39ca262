"""The published recipes as configs: every value as the public code has it, in the file and in a run."""

from __future__ import annotations

import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.cli import main
from gad_lightning.data.base import ActionDataModule
from gad_lightning.prompts.contexts.goal import GoalContext
from gad_lightning.prompts.contexts.published_previous_action import PublishedPreviousAction
from gad_lightning.readouts.nearest import NearestReadout
from tests.watching import Watch

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"


class Recipe(NamedTuple):
    """What the public code sets for one data set."""

    short: int
    long: int
    epochs: int
    background: float
    batch: int = 16
    accumulate: int = 2
    warmup: float = 0.1
    longest: int = 9  # tokens that a generative classifier may write


RECIPES = {
    "thumos14": Recipe(32, 128, 50, 1.0),
    "crosstask": Recipe(20, 128, 50, 0.2),
    "epic_kitchens100": Recipe(20, 128, 50, 0.5),
    "ego4d_goalstep": Recipe(16, 128, 20, 0.5),
    "coin": Recipe(1200, 0, 5, 1.0, batch=1, accumulate=8, warmup=0.05, longest=512),
}
PUBLISHED = {
    ("thumos14", "generative"): "56.9 / 38.8",
    ("thumos14", "discriminative"): "57.8 / 40.1",
    ("thumos14", "gad"): "58.1 / 40.2",
    ("crosstask", "generative"): "46.8 / 31.7",
    ("crosstask", "discriminative"): "48.8 / 34.0",
    ("crosstask", "gad"): "50.3 / 34.5",
    ("epic_kitchens100", "generative"): "16.7 / 13.9",
    ("epic_kitchens100", "discriminative"): "23.2 / 19.3",
    ("epic_kitchens100", "gad"): "24.1 / 20.1",
    ("ego4d_goalstep", "generative"): "8.9 / 3.4",
    ("ego4d_goalstep", "discriminative"): "10.6 / 4.1",
    ("coin", "discriminative"): "64.1 / 50.1 / 92.8",
    ("coin", "gad"): "65.3 / 51.4 / 93.5",
    ("coin", "gad_8b"): "67.3 / 51.6 / 94.5",
}
"""Figures of the paper: segment-F1 / point-F1, and for COIN Top-1 of step / next / task."""
STEPS = 3
"""Optimizer steps that a config is run for."""
METHODS = ("generative", "discriminative", "gad")
CONFIGS = [path for name in RECIPES for path in sorted((EXPERIMENTS / name).glob("*.yaml"))]
every_recipe = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
SMALL = [
    "--model.backbone=gad_lightning.TinyBackbone",
    "--model.backbone.init_args.max_positions=4096",
    "--data=gad_lightning.ToyActions",
    "--data.init_args.num_videos=240",
    "--trainer.callbacks+=tests.watching.Watch",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.precision=32-true",
    "--trainer.logger=false",
    "--trainer.enable_checkpointing=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.limit_val_batches=0",
    "--trainer.max_epochs=1",
]


def made(spec: dict[str, Any], drop: tuple[str, ...] = ()) -> Any:
    """Make a part of a config; nothing is read."""
    module, _, name = spec["class_path"].rpartition(".")
    arguments = {key: value for key, value in spec.get("init_args", {}).items() if key not in drop}
    return getattr(import_module(module), name)(**arguments)


def test_every_data_set_has_its_three_classifiers_and_a_model_without_a_license_to_accept() -> None:
    for name in RECIPES:
        stems = {path.stem for path in CONFIGS if path.parent.name == name}
        assert {*METHODS, "gad_qwen3"} <= stems
    assert EXPERIMENTS / "coin" / "gad_8b.yaml" in CONFIGS


@every_recipe
def test_the_first_line_says_which_figure_of_which_table_and_what_it_costs(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    published = PUBLISHED.get((path.parent.name, path.stem))
    if published is not None:
        metric = "Top-1 step / next / task" if path.parent.name == "coin" else "segment-F1 / point-F1"
        assert re.search(rf": {metric} {published} \([^)]*table[^)]*\)\. About", first)
    elif path.stem == "gad_qwen3":
        assert ": compares with gad.yaml. About" in first
    else:
        assert ": no number published. About" in first
    assert re.search(r"\. About [0-9]+ h on (one|two) H200 \(estimated, not run\)\.$", first)


@every_recipe
def test_backbone_and_data_are_the_published_ones(path: Path) -> None:
    recipe, config = RECIPES[path.parent.name], yaml.safe_load(path.read_text(encoding="utf-8"))
    arguments = config["model"]["init_args"]
    backbone: CausalLM = made(arguments["backbone"])
    models = {"gad_8b": "meta-llama/Meta-Llama-3-8B-Instruct", "gad_qwen3": "Qwen/Qwen3-1.7B"}
    assert backbone.language_model == models.get(path.stem, "meta-llama/Llama-3.2-1B-Instruct")
    assert backbone.lora == {"r": 128, "lora_alpha": 256, "lora_dropout": 0.05}
    assert backbone.lora_on_head == (path.stem != "discriminative")
    assert backbone.dtype == torch.bfloat16
    assert backbone.gradient_checkpointing == (path.parent.name == "coin")

    data: ActionDataModule = made(config["data"])
    online = path.parent.name != "coin"
    window = 720 if path.stem == "gad_8b" else recipe.short  # what the 8B's positions hold
    assert (data.windows.short, data.windows.long) == (window, recipe.long)
    assert (data.windows.short_stride, data.windows.long_stride) == (1, 1)
    assert data.stride == (recipe.short if online else 1)
    assert (data.batch_size, data.val_fraction, data.standardize) == (recipe.batch, 0.0, False)
    assert data.sampling == ("published" if online else "uniform")
    if path.parent.name == "thumos14":
        assert config["data"]["init_args"]["ambiguous"] == "published"
    if not online:
        assert config["data"]["init_args"].get("long_clips", "even") == (
            "first" if path.stem == "discriminative" else "even"
        )

    trainer = config["trainer"]
    assert trainer["max_epochs"] == recipe.epochs
    assert trainer["precision"] == "bf16-mixed"
    assert recipe.batch * trainer["accumulate_grad_batches"] * trainer.get("devices", 1) == (32 if online else 16)


@pytest.mark.parametrize(
    "path",
    [
        path if path.stem == "gad" else pytest.param(path, marks=pytest.mark.slow)  # a run each: 3 s
        for path in CONFIGS
    ],
    ids=[f"{path.parent.name}/{path.stem}" for path in CONFIGS],
)
def test_a_run_has_the_published_optimizer_schedule_and_batch(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPES[path.parent.name]
    monkeypatch.chdir(tmp_path)
    windows = made(yaml.safe_load(path.read_text(encoding="utf-8"))["data"]).windows  # of the class that is replaced
    size = [
        f"--data.init_args.short_memory={windows.short}",
        f"--data.init_args.long_memory={windows.long}",
    ]
    main(["fit", f"--config={path}", *SMALL, *size, f"--trainer.limit_train_batches={STEPS * recipe.accumulate}"])
    run = Watch.run
    assert isinstance(run.optimizer, torch.optim.AdamW)
    group = run.optimizer.param_groups[0]
    assert (group["initial_lr"], group["weight_decay"], group["betas"]) == (1e-4, 0.0, (0.9, 0.999))
    assert (run.accumulate, run.clip) == (recipe.accumulate, 1.0)
    assert len(run.rates) == run.steps == STEPS
    assert run.classifier.warmup == recipe.warmup
    rising = math.ceil(run.steps * recipe.warmup)
    expected = [
        step / rising if step < rising else 0.5 * (1 + math.cos(math.pi * (step - rising) / (run.steps - rising)))
        for step in range(run.steps)
    ]
    assert run.rates == pytest.approx([1e-4 * share for share in expected])
    assert run.data.batch_size == recipe.batch
    assert all(len(batch.frame_counts) in (recipe.batch - 1, recipe.batch) for batch in run.batches)  # even shares
    assert max(int(batch.frame_counts.max()) for batch in run.batches) <= recipe.short + recipe.long
    assert run.classifier.schema.windows == windows._replace(chunk=run.classifier.schema.windows.chunk)
    check_method(run.classifier, path, recipe)


def check_method(classifier: Any, path: Path, recipe: Recipe) -> None:
    """Look at what the method adds: weights, context, targets, readout."""
    method, online = path.stem.split("_")[0], path.parent.name != "coin"
    assert classifier.background_weight == recipe.background
    assert classifier.prompt.supervise_prefix == (method != "discriminative")
    assert classifier.prompt.separator == ("" if online else ",")
    if method == "generative":
        assert isinstance(classifier.readout, NearestReadout)
        assert classifier.readout.max_tokens == recipe.longest
        assert classifier.labels.close_background == (not online)
    if method == "gad":
        write = classifier.objectives[0]
        assert (write.weight, write.answered) == (1.0, 1.0)
        assert write.labels.close_background == (not online)
        assert isinstance(write.context, GoalContext) == (not online)
        previous = isinstance(write.context, PublishedPreviousAction)
        assert previous == (online and path.parent.name != "thumos14")
        assert not previous or write.context.short_memory == recipe.short
