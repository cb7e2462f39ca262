"""Remembering plain text: the divergence of a plain loop, blocks that follow the count of batches, exact resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.tensor import DTensor
from torch.nn.functional import log_softmax
from torch.utils.data import DataLoader

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.cli import main
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.objectives.remember_text import RememberText
from tests.backbones.folders import WORDS, llama_folder
from tests.classifiers.making import batch, make, random_frames, schema, train
from tests.objectives.test_gathering import Losses
from tests.training.processes import start

LORA: dict[str, Any] = {"r": 4, "lora_dropout": 0.0, "init_lora_weights": False}
CONFIG = """
seed_everything: 1
model:
  class_path: gad_lightning.DiscriminativeClassifier
  init_args:
    backbone: {{class_path: gad_lightning.TinyBackbone, init_args: {{hidden_size: 16, num_layers: 1, lora: {{r: 4}}}}}}
    objectives:
    - class_path: gad_lightning.RememberText
      init_args: {{file: {text}, every: 2, tokens: 8}}
data:
  class_path: gad_lightning.ToyActions
  init_args: {{num_videos: 20, mode: one_pass, short_memory: 4, chunk: 32, batch_size: 4}}
trainer: {{accelerator: cpu, enable_progress_bar: false, enable_model_summary: false, log_every_n_steps: 1}}
"""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A file that the tiny tokenizers know the words of."""
    path = tmp_path / "text.txt"
    path.write_text("add sugar stir salt background What is the action in the last frame? " * 6)
    return path


def remembering(text: Path, folder: Path, **arguments: Any) -> tuple[Classifier, RememberText]:
    """A classifier with an adapter far from its base, and its objective."""
    own = RememberText(str(text), tokens=16, **arguments)
    base = llama_folder(folder / "base", words=WORDS)
    made = make(DiscriminativeClassifier, backbone=CausalLM(str(base), lora=LORA), objectives=[own])
    return made, own


def asked() -> Any:
    """Some queries."""
    return batch(random_frames(2, 8), [[1, 3], [5]], torch.tensor([1, 2, 3]))


def test_it_is_the_divergence_of_next_tokens_from_the_model_without_lora(text: Path, tmp_path: Path) -> None:
    classifier, objective = remembering(text, tmp_path)
    loss = classifier.losses(asked())["remember"]
    assert objective.blocks is not None
    order = torch.randperm(len(objective.blocks), generator=torch.Generator().manual_seed(0))
    ids = objective.blocks[order[:1]]
    assert isinstance(classifier.backbone, CausalLM)
    tuned = classifier.backbone.causal_lm(ids).logits[0, :-1]
    with classifier.backbone.original() as model:
        base = model(ids).logits[0, :-1]
    total = 0.0
    for before, now in zip(log_softmax(base, 1).tolist(), log_softmax(tuned, 1).tolist(), strict=True):
        total += sum(torch.tensor(p).exp().item() * (p - q) for p, q in zip(before, now, strict=True))
    assert float(loss.count) == 15
    assert float(loss.sum.detach()) == pytest.approx(total, rel=1e-4)
    assert total > 0.1


def test_it_draws_the_adapter_back_and_reaches_nothing_else(text: Path, tmp_path: Path) -> None:
    classifier, _ = remembering(text, tmp_path)
    classifier.losses(asked())["remember"].sum.backward()
    reached = {name for name, weight in classifier.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert reached
    assert all("lora_" in name for name in reached)
    with torch.no_grad():
        for name, weight in classifier.named_parameters():
            if name in reached:
                assert weight.grad is not None
                weight.sub_(weight.grad, alpha=1e-3)
    before = float(classifier.losses(asked())["remember"].sum.detach())
    assert before < float(remembering(text, tmp_path)[0].losses(asked())["remember"].sum.detach())


def test_blocks_follow_the_number_of_the_batch_and_each_process_has_its_own(text: Path, tmp_path: Path) -> None:
    classifier, objective = remembering(text, tmp_path, every=3)
    seen = []
    for number in range(12):
        for process in range(2):
            objective.begin(number, process, 2)
            assert objective.due == (number % 3 == 0)
            if objective.due:
                seen.append(tuple(objective._block(classifier.backbone)[0].tolist()))
            assert ("remember" in classifier.losses(asked())) == objective.due
    assert objective.blocks is not None
    assert len(seen) == 8
    assert len(set(seen[: len(objective.blocks)])) == min(8, len(objective.blocks))
    objective.begin(9, 1, 2)
    assert tuple(objective._block(classifier.backbone)[0].tolist()) == seen[7]


def test_the_losses_of_other_steps_are_those_of_a_run_without_it(text: Path, tmp_path: Path) -> None:
    with_it, objective = remembering(text, tmp_path)
    objective.due = False
    without = make(DiscriminativeClassifier, backbone=CausalLM(str(tmp_path / "base"), lora=LORA))
    train(with_it, 2)
    train(without, 2)
    assert torch.equal(with_it.scores(asked()).scores, without.scores(asked()).scores)


def test_a_checkpoint_loads_where_the_file_is_gone(text: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG.format(text=text))
    main(
        [
            "fit",
            "--config",
            str(tmp_path / "run.yaml"),
            f"--trainer.default_root_dir={tmp_path}",
            "--trainer.max_steps=1",
        ]
    )
    text.unlink()
    found = Classifier.load_from_checkpoint(next(tmp_path.rglob("last.ckpt")))
    assert isinstance(found, DiscriminativeClassifier)
    assert [type(one) for one in found.objectives] == [RememberText]


def test_a_stopped_run_goes_on_to_the_same_weights(text: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(CONFIG.format(text=text))
    ends = []
    for name, steps in (("whole", [5]), ("stopped", [3, 5])):
        home, resume = tmp_path / name, list[str]()
        for until in steps:
            more = [f"--trainer.default_root_dir={home}", f"--trainer.max_steps={until}", *resume]
            main(
                ["fit", "--config", str(tmp_path / "run.yaml"), "--model.schedule=constant", "--model.warmup=0", *more]
            )
            last = max(home.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime_ns)
            resume = [f"--ckpt_path={last}"]
        ends.append(torch.load(last, weights_only=True)["state_dict"])
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (None, MissingDataError, "RememberText: there is no text file"),
        (b"", DataError, "RememberText: .* is empty"),
        (b"\xff\xfe", DataError, "RememberText: .* is no text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_text_is_named_at_the_first_step(
    content: bytes | None, kind: type[Exception], what: str, text: Path, tmp_path: Path
) -> None:
    text.unlink()
    if content is not None:
        text.write_bytes(content)
    classifier, _ = remembering(text, tmp_path)
    with pytest.raises(kind, match=what):
        classifier.losses(asked())


def test_a_model_that_is_trained_whole_cannot_be_held_to_itself(text: Path) -> None:
    classifier = make(
        DiscriminativeClassifier,
        backbone=TinyBackbone(hidden_size=16, num_layers=1),
        objectives=[RememberText(str(text), tokens=8)],
    )
    with pytest.raises(SettingError, match="was trained whole: the original is gone"):
        classifier.losses(asked())


def test_settings_out_of_range_are_refused(text: Path) -> None:
    with pytest.raises(SettingError, match="every of RememberText counts batches and must be at least 1, got 0"):
        RememberText("a.txt", every=0)
    with pytest.raises(SettingError, match="tokens of RememberText must be at least 2, got 1"):
        RememberText("a.txt", tokens=1)
    with pytest.raises(SettingError, match=r"weight of RememberText must be at least 0"):
        RememberText("a.txt", weight=-1.0)
    with pytest.raises(SettingError, match=r"blocks of 4096 tokens; the language model's max_positions is 64"):
        make(
            DiscriminativeClassifier,
            backbone=TinyBackbone(hidden_size=16, num_layers=1, max_positions=64),
            objectives=[RememberText(str(text), tokens=4096)],
        )


def fit(rank: int, processes: int, sharded: bool, text: Path, folder: Path) -> None:
    """Train for three steps, each process on queries of its own, and write losses and weights."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    own = RememberText(str(text), every=2, tokens=16)
    classifier = DiscriminativeClassifier(
        backbone=CausalLM(str(folder / "base"), lora=LORA), schema=schema(), objectives=[own]
    )
    steps = [batch(random_frames(1, 8, seed=10 * rank + step), [[3, 7]], torch.tensor([1, 2])) for step in range(3)]
    book = Losses()
    whole = ModelParallelStrategy(processes, tensor_parallel_size=1, save_distributed_checkpoint=False)
    trainer = Trainer(
        accelerator="cpu",
        devices=processes,
        strategy=whole if sharded else "ddp",
        max_epochs=1,
        logger=book,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
    trainer.fit(classifier, DataLoader(steps, batch_size=None))
    weights = {name: weight.detach() for name, weight in classifier.trained_state().items()}
    told = {name: w.full_tensor() if isinstance(w, DTensor) else w for name, w in weights.items()}
    torch.save({"losses": book.every, "weights": told}, folder / f"{sharded}-{rank}.pt")


@pytest.mark.slow  # starts processes of their own
def test_processes_read_blocks_of_their_own_and_end_alike(text: Path, tmp_path: Path) -> None:
    first, objective = remembering(text, tmp_path)
    losses = []
    for process in range(2):
        objective.begin(0, process, 2)
        losses.append(first.losses(asked())["remember"])
    mean = float(sum(float(loss.sum.detach()) for loss in losses) / sum(float(loss.count) for loss in losses))
    ends = []
    for sharded in (False, True):
        assert start(2, fit, 2, sharded, text, tmp_path) == [0, 0]
        ends += [torch.load(tmp_path / f"{sharded}-{rank}.pt", weights_only=True) for rank in range(2)]
    for end in ends:
        told = [losses.get("train/remember") for losses in ends[0]["losses"] if "train/loss" in losses]
        assert told[0] == pytest.approx(mean, rel=1e-4)
        assert told[1] == told[0]  # Lightning shows the last one between
        assert told[2] != told[0]
        for name, weight in end["weights"].items():
            assert torch.allclose(weight, ends[0]["weights"][name], atol=1e-5), name
