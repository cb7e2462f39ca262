"""QLoRA on a CPU: what is quantized, what trains, what is the same as without, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.quantization import quantized
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.cli import main
from gad_lightning.errors import SettingError
from tests.backbones.folders import llama_folder
from tests.classifiers.making import batch, make, random_frames
from tests.watching import Watch

ROOT = Path(__file__).resolve().parents[2]

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
HOW = pytest.mark.parametrize("how", ["nf4", "int8"])
# int8 shares a scale in each row of activations, so its states move with what else is in the row
SPREAD = {"nf4": 0.35, "int8": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama as a user downloads it."""
    return llama_folder(tmp_path_factory.mktemp("llama"))


def backbone(folder: Path, how: Literal["nf4", "int8"] | None = None, **arguments: Any) -> CausalLM:
    """That Llama with LoRA."""
    return CausalLM(str(folder), **{"lora": LORA, "quantization": how, **arguments})


def fit(classifier: Classifier, steps: int = 2, **trainer: Any) -> lightning.Trainer:
    """Train a few steps on one batch."""
    data = [batch(random_frames(2, 8), [[1, 4], [7, 5]], torch.tensor([1, 2, 3, 0]))] * steps
    made = lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer,
    )
    made.fit(classifier, DataLoader(data, batch_size=None))
    return made


@HOW
def test_decoder_layers_are_quantized_and_nothing_else(how: Literal["nf4", "int8"], folder: Path) -> None:
    made = make(DiscriminativeClassifier, backbone=backbone(folder, how))
    small = {torch.uint8, torch.int8}
    formats = {name: weight.dtype for name, weight in made.named_parameters()}
    quantized = [name for name, form in formats.items() if form in small]
    assert len(quantized) == 2 * 7  # two layers of q, k, v, o, gate, up, down
    assert all("base_layer" in name for name in quantized)
    assert not any(made.get_parameter(name).requires_grad for name in quantized)
    assert {form for name, form in formats.items() if name not in quantized} == {torch.float32}


@HOW
def test_states_are_near_those_of_the_unquantised_base(how: Literal["nf4", "int8"], folder: Path) -> None:
    frames, asked = random_frames(2, 8), [[3, 7], [7]]
    states = []
    for setting in (None, how):
        made = make(DiscriminativeClassifier, backbone=backbone(folder, setting)).eval()
        tokens = made.backbone.place(made.render(batch(frames, asked)))
        states.append(tokens.at_slots(made.backbone(tokens, frames)))
    apart = (states[0] - states[1]).norm() / states[0].norm()
    assert 0 < apart < SPREAD[how]


@HOW
def test_fingerprint_is_the_unquantised_base_s_and_the_lora_fits_both(
    how: Literal["nf4", "int8"], folder: Path, tmp_path: Path
) -> None:
    quantized = make(GADClassifier, backbone=backbone(folder, how))
    fit(quantized).save_checkpoint(tmp_path / "x.ckpt")
    plain = make(GADClassifier, backbone=backbone(folder))
    assert plain.backbone.fingerprint() == quantized.backbone.fingerprint() != ""
    stored = torch.load(tmp_path / "x.ckpt", weights_only=True)
    plain.on_load_checkpoint(stored)
    missing, unexpected = plain.load_state_dict(stored["state_dict"], strict=False)
    assert not unexpected
    assert all("lora" not in name for name in missing)
    assert plain.backbone.merge() == 0.0


@HOW
@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier, GenerativeClassifier])
def test_a_checkpoint_loads_with_its_scores(
    how: Literal["nf4", "int8"], kind: type[Classifier], folder: Path, tmp_path: Path
) -> None:
    classifier = make(kind, backbone=backbone(folder, how, lora_on_head=kind is GenerativeClassifier))
    fit(classifier).save_checkpoint(tmp_path / "x.ckpt")
    again = kind.load_from_checkpoint(tmp_path / "x.ckpt")
    assert again.backbone.quantization == how
    frames = random_frames(3, 8)
    assert torch.equal(again(frames), classifier.eval()(frames))


@HOW
def test_training_learns_through_the_quantized_base_and_leaves_it_alone(
    how: Literal["nf4", "int8"], folder: Path
) -> None:
    classifier = make(DiscriminativeClassifier, backbone=backbone(folder, how, gradient_checkpointing=True))
    frozen = {
        name: weight.detach().clone() for name, weight in classifier.named_parameters() if not weight.requires_grad
    }
    data = batch(random_frames(4, 8), [[7]] * 4, torch.tensor([1, 2, 3, 0]))
    optimizer = torch.optim.AdamW([w for w in classifier.parameters() if w.requires_grad], lr=5e-3)
    losses = []
    for _ in range(15):
        loss = classifier.average(classifier.losses(data)["classification"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    assert all(torch.equal(classifier.get_parameter(name), before) for name, before in frozen.items())


def test_gradient_checkpointing_keeps_less_and_changes_no_gradient(folder: Path) -> None:
    gradients, kept = [], list[int]()
    for saving in (False, True):
        lora = {**LORA, "lora_dropout": 0.1}
        classifier = make(GADClassifier, backbone=backbone(folder, lora=lora, gradient_checkpointing=saving))
        kept.append(0)

        def keep(tensor: Tensor) -> Tensor:
            kept[-1] += tensor.nbytes
            return tensor

        torch.manual_seed(1)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            losses = classifier.losses(batch(random_frames(2, 8), [[7], [5]], torch.tensor([1, 2])))
        torch.stack([classifier.average(loss) for loss in losses.values()]).sum().backward()
        gradients.append([weight.grad for weight in classifier.parameters() if weight.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert kept[1] < kept[0] / 3


def test_a_loaded_decoder_is_in_training_mode(folder: Path) -> None:
    assert all(module.training for module in make(GADClassifier, backbone=backbone(folder)).modules())


@pytest.mark.parametrize("name", ["AdamW8bit", "PagedAdamW8bit", "PagedAdamW32bit"])
def test_small_optimizers_train_and_their_state_is_saved_as_plain_data(name: str, folder: Path, tmp_path: Path) -> None:
    import bitsandbytes

    made = getattr(bitsandbytes.optim, name)
    classifier = make(
        DiscriminativeClassifier, backbone=backbone(folder, "nf4"), optimizer=lambda weights: made(weights, lr=1e-3)
    )
    before = {name: weight.detach().clone() for name, weight in classifier.trained_state().items()}
    fit(classifier, accumulate_grad_batches=2, gradient_clip_val=1.0).save_checkpoint(tmp_path / "x.ckpt")
    assert not torch.equal(before["heads.0.project.bias"], classifier.trained_state()["heads.0.project.bias"])
    stored = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert len(stored["optimizer_states"][0]["state"]) == len(before)


@pytest.mark.parametrize("name", ["AdamW8bit", "PagedAdamW32bit"])
def test_small_optimizers_are_a_line_of_the_config(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ["--model.optimizer=bitsandbytes.optim." + name, "--model.optimizer.init_args.lr=3e-4"]
    quick = ["--trainer.fast_dev_run=true", "--trainer.accelerator=cpu", "--trainer.callbacks+=tests.watching.Watch"]
    main(["fit", f"--config={ROOT / 'experiments' / 'toy' / 'gad.yaml'}", *chosen, *quick])
    assert type(Watch.run.optimizer).__name__ == name
    assert Watch.run.optimizer.param_groups[0]["initial_lr"] == 3e-4


def test_a_large_weight_has_its_moments_in_bytes() -> None:
    from bitsandbytes.optim import AdamW8bit

    weight = nn.Parameter(torch.randn(64, 128))
    optimizer = AdamW8bit([weight], lr=1e-3)
    weight.sum().backward()
    optimizer.step()
    assert optimizer.state[weight]["state1"].dtype == optimizer.state[weight]["state2"].dtype == torch.uint8


def test_what_cannot_work_is_refused_with_the_reason(folder: Path) -> None:
    with pytest.raises(SettingError, match="quantized weights have no gradient"):
        backbone(folder, "nf4", lora=None)
    with pytest.raises(SettingError, match="'fp4'; there are nf4, int8"):
        CausalLM(str(folder), quantization="fp4")  # type: ignore[arg-type]  # what a user may type
    with pytest.raises(SettingError, match="a LoRA cannot be merged into it"):
        make(DiscriminativeClassifier, backbone=backbone(folder, "nf4")).backbone.merge()


def test_evaluation_leaves_the_weights_as_they_are() -> None:
    torch.manual_seed(0)
    layer, frames = quantized(torch.nn.Linear(48, 32), "nf4", torch.float32), torch.randn(3, 48)
    before = layer.weight.data.clone()
    trained = layer.train()(frames)
    with torch.no_grad():
        assert torch.equal(layer.eval()(frames), trained)
        assert torch.allclose(layer(frames[:1]), trained[:1], atol=1e-6)  # one row may take another kernel
    assert torch.equal(layer.weight.data, before)
