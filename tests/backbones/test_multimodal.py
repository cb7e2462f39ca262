"""Backbones that start from a multimodal checkpoint, compared with the original model of the same folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.families import family_of
from gad_lightning.backbones.multimodal import MultimodalLM
from gad_lightning.backbones.vision_tower import VisionTower
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.cli import main
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, Windows
from gad_lightning.types import Tokens
from gad_lightning.video.features.feature_file import FeatureFile
from tests.backbones.folders import llama_folder, llava_folder, onevision_folder, qwen_folder
from tests.classifiers.making import batch, make, schema
from tests.video.clips import write_clip

LORA: dict[str, Any] = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0}
MAKES: dict[str, Callable[[Path], Path]] = {
    "llava": llava_folder,
    "llava of two layers": lambda folder: llava_folder(folder, layer=[-1, -2]),
    "onevision": onevision_folder,
    "qwen2.5": lambda folder: qwen_folder(folder, "2.5"),
    "qwen3": lambda folder: qwen_folder(folder, "3"),
}
ALL = pytest.mark.parametrize("kind", MAKES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One checkpoint of each kind."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {kind: save(root / kind.replace(" ", "-")) for kind, save in MAKES.items()}


def pictures(count: int, height: int = 40, width: int = 50) -> np.ndarray:
    """Random frames of a video."""
    return np.random.default_rng(0).integers(0, 255, (count, height, width, 3), dtype=np.uint8)


def original_of(folder: Path) -> Any:
    """The model as anyone else would load it."""
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(folder).eval()


def schema_for(tower: VisionTower) -> DataSchema:
    """The toy classes on features of that tower."""
    return schema()._replace(features=tower.feature_spec(4.0), windows=Windows(short=8))


def classifier_on(
    folder: Path, tokens: str = "pooled", kind: type[Classifier] = DiscriminativeClassifier, **backbone: Any
) -> Classifier:
    """A classifier on that checkpoint, reading features of its own tower; every LoRA is moved away from nothing."""
    made = make(
        kind,
        schema=schema_for(VisionTower(str(folder), tokens=tokens)),
        backbone=MultimodalLM(str(folder), **{"lora": LORA, **backbone}),
        prompt=Prompt(separator=","),
    )
    with torch.no_grad():
        for name, weight in made.backbone.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    return made.eval()


def laid(classifier: Classifier, frames: Tensor) -> Tokens:
    """One sample with a question at its end."""
    return classifier.backbone.place(classifier.render(batch(frames, [[frames.shape[1] - 1]])))


def text_of(tokens: Tokens, picture: int) -> Tensor:
    """Token ids as the original model reads them, without the opener: (1, T)."""
    ids = torch.where(tokens.visual >= 0, picture, tokens.ids)
    return ids[tokens.places.branch < 0].unsqueeze(0)


@pytest.mark.parametrize("kind", ["llava", "llava of two layers"])
def test_llava_states_are_the_original_s_when_no_patch_is_pooled(kind: str, folders: dict[str, Path]) -> None:
    original, tower = original_of(folders[kind]), VisionTower(str(folders[kind]), tokens="grid4x4")
    shown = pictures(3)
    frames = tower.encode(shown).unsqueeze(0)
    classifier = classifier_on(folders[kind], "grid4x4")
    tokens = laid(classifier, frames)
    pixels = tower.processor(list(shown), return_tensors="pt")["pixel_values"]
    with torch.no_grad(), classifier.backbone.model.disable_adapter():
        ours = classifier.backbone(tokens, frames)[tokens.places.branch < 0]
        ids = text_of(tokens, original.config.image_token_id)
        theirs = original.model(input_ids=ids, pixel_values=pixels).last_hidden_state[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_onevision_states_are_the_original_video_s_up_to_the_last_frame(tmp_path: Path) -> None:
    folder = onevision_folder(tmp_path / "small", side=8)  # one patch a frame: the original pools nothing either
    original, tower = original_of(folder), VisionTower(str(folder))
    shown = pictures(3)
    frames = tower.encode(shown).unsqueeze(0)
    classifier = make(
        DiscriminativeClassifier, schema=schema_for(tower), backbone=MultimodalLM(str(folder), lora=LORA)
    ).eval()
    tokens = laid(classifier, frames)
    pixels = torch.cat([tower.processor(picture, return_tensors="pt")["pixel_values"][:, 0] for picture in shown])
    ids = text_of(tokens, original.config.video_token_id)
    newline = torch.full((1, 1), original.config.video_token_id)  # follows the last frame, and so changes none
    with torch.no_grad():
        ours = classifier.backbone(tokens, frames)[tokens.places.branch < 0]
        theirs = original.model(input_ids=torch.cat([ids, newline], 1), pixel_values_videos=pixels.unsqueeze(0))
    assert torch.allclose(ours, theirs.last_hidden_state[0, :-1], atol=1e-5)


def test_qwen25_states_are_the_original_s_for_one_token_a_frame(folders: dict[str, Path]) -> None:
    folder = folders["qwen2.5"]
    original, tower = original_of(folder), VisionTower(str(folder))
    shown = pictures(3, 8, 8)  # one block of merged patches
    frames = tower.encode(shown).unsqueeze(0)
    classifier = classifier_on(folder)
    tokens = laid(classifier, frames)
    ids = text_of(tokens, original.config.image_token_id)
    given = tower.processor(list(shown), return_tensors="pt")
    with torch.no_grad(), classifier.backbone.model.disable_adapter():
        ours = classifier.backbone(tokens, frames)[tokens.places.branch < 0]
        kinds = (ids == original.config.image_token_id).int()
        theirs = original.model(input_ids=ids, mm_token_type_ids=kinds, **given).last_hidden_state[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("kind", ["qwen2.5", "qwen3"])
def test_qwen_text_tower_with_its_own_positions_gives_our_states(kind: str, folders: dict[str, Path]) -> None:
    """For Qwen3-VL without what its tower adds inside the first layers."""
    original, tower = original_of(folders[kind]), VisionTower(str(folders[kind]))
    frames = tower.encode(pictures(3, 8, 8)).unsqueeze(0)
    classifier = classifier_on(folders[kind])
    tokens = laid(classifier, frames)
    trunk = tokens.places.branch < 0
    ids = text_of(tokens, original.config.image_token_id)
    kinds = (ids == original.config.image_token_id).int()
    grid = torch.tensor([[1, 2, 2]] * 3)
    positions, _ = original.model.get_rope_index(ids, image_grid_thw=grid, mm_token_type_ids=kinds)
    with torch.no_grad(), classifier.backbone.model.disable_adapter():
        embedded = classifier.backbone.embed(tokens, frames)[trunk].unsqueeze(0)
        ours = classifier.backbone(tokens, frames)[trunk]
        theirs = original.model.language_model(inputs_embeds=embedded, position_ids=positions).last_hidden_state[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("kind", ["qwen2.5", "qwen3"])
def test_what_is_left_out_of_qwen3_is_said(kind: str, folders: dict[str, Path]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier_on(folders[kind])
    assert any("DeepStack" in str(warning.message) for warning in caught) == (kind == "qwen3")


@ALL
def test_pooled_features_are_means_of_the_patches_the_projector_reads(kind: str, folders: dict[str, Path]) -> None:
    tower = VisionTower(str(folders[kind]))
    pooled = tower.encode(pictures(2))
    assert pooled.shape == (2, 1, family_of(tower.config).width(tower.config))
    if not tower.family.one_token:
        every = VisionTower(str(folders[kind]), tokens="grid4x4").encode(pictures(2))
        assert torch.allclose(every.mean(1, keepdim=True), pooled, atol=1e-6)


@pytest.mark.parametrize("kind", ["qwen2.5", "qwen3"])
def test_qwen_features_are_the_mean_of_what_the_merger_reads(kind: str, folders: dict[str, Path]) -> None:
    original, tower = original_of(folders[kind]), VisionTower(str(folders[kind]))
    given = tower.processor(list(pictures(2)), return_tensors="pt")
    with torch.no_grad():
        states = original.model.visual(given["pixel_values"], grid_thw=given["image_grid_thw"]).last_hidden_state
    expected = states.reshape(2, -1, 4 * 16).mean(1)  # four patches of width 16 are merged
    assert torch.allclose(tower.encode(pictures(2))[:, 0], expected, atol=1e-5)


@ALL
def test_what_the_encode_command_writes_is_what_the_backbone_reads(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    write_clip(tmp_path / "stir.mp4", [index / 4 for index in range(6)])
    name = "gad_lightning.VisionTower"
    chosen = [f"--encoder={name}", f"--encoder.name_or_folder={folders[kind]}", "--workers=0", "--progress=false"]
    main(["encode", str(tmp_path / "stir.mp4"), str(tmp_path / "features"), *chosen])
    written = FeatureFile(tmp_path / "features" / "stir.npy")
    made = make(
        DiscriminativeClassifier,
        schema=schema()._replace(features=written.spec, windows=Windows(short=8)),
        backbone=MultimodalLM(str(folders[kind]), lora=LORA),
    )
    assert len(made.detect(tmp_path / "features" / "stir.npy").labels) == 6


@ALL
def test_with_the_adapter_off_generation_is_the_original_s_to_the_bit(kind: str, folders: dict[str, Path]) -> None:
    original = original_of(folders[kind])
    classifier = classifier_on(folders[kind], kind=GADClassifier, lora_on_head=True)
    with torch.no_grad():
        for weight in classifier.backbone.connector.parameters():
            weight += 1
    text = {"input_ids": torch.tensor([[1, 5, 9, 7]]), "max_new_tokens": 8, "do_sample": False}
    if kind.startswith("llava"):
        text["input_ids"] = torch.tensor([[1, 5, *[original.config.image_token_id] * 16, 9]])
        text["pixel_values"] = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    asked = {**text, "output_logits": True, "return_dict_in_generate": True}
    expected = original.generate(**asked)
    with classifier.backbone.original() as model:
        assert type(model) is type(original)
        found = model.generate(**asked)
    assert torch.equal(found.sequences, expected.sequences)
    assert all(torch.equal(a, b) for a, b in zip(found.logits, expected.logits, strict=True))
    assert not torch.equal(classifier.backbone.causal_lm.generate(**asked).logits[0], expected.logits[0])


@ALL
def test_connector_and_language_model_are_trained_and_nothing_else(kind: str, folders: dict[str, Path]) -> None:
    classifier = classifier_on(folders[kind], kind=GADClassifier)
    names = list(classifier.trained_state())
    assert any("connector.projector" in name for name in names)
    lora = [name for name in names if "lora_" in name]
    assert len(lora) == 2 * 2 * 7  # A and B, two layers, seven matrices
    assert all(".language_model." in name for name in lora)
    frames = torch.randn(2, 4, 1, classifier.schema.features.width)
    losses = classifier.losses(batch(frames, [[3], [2]], torch.tensor([1, 2])))
    torch.stack([classifier.average(loss) for loss in losses.values()]).sum().backward()
    for name, weight in classifier.named_parameters():
        assert (weight.grad is not None) == (name in names), name


@ALL
@pytest.mark.parametrize("how", [None, "nf4"])
def test_a_checkpoint_rebuilds_it(kind: str, how: Any, folders: dict[str, Path], tmp_path: Path) -> None:
    classifier = classifier_on(folders[kind], kind=GenerativeClassifier, quantization=how)
    content: dict[str, Any] = {"pytorch-lightning_version": "2.6.6"}
    classifier.on_save_checkpoint(content)
    torch.save(content, tmp_path / "x.ckpt")
    again = GenerativeClassifier.load_from_checkpoint(tmp_path / "x.ckpt")
    frames = torch.randn(2, 4, 1, classifier.schema.features.width)
    assert torch.equal(again(frames), classifier(frames))


def test_training_whole_leaves_the_vision_tower_frozen(folders: dict[str, Path]) -> None:
    classifier = classifier_on(folders["llava"], lora=None)
    assert not any("vision_tower" in name or "multi_modal_projector" in name for name in classifier.trained_state())
    with pytest.raises(SettingError, match="was trained whole: the original is gone"), classifier.backbone.original():
        pass


def test_features_of_another_encoder_are_refused_with_both_names(folders: dict[str, Path]) -> None:
    for features in (FeatureSpec("siglip", 4.0, 24), FeatureSpec("llava@abc", 4.0, 25)):
        with pytest.raises(SettingError, match=f"llava reads features of its own .* '{features.encoder}'"):
            make(
                DiscriminativeClassifier,
                schema=schema()._replace(features=features),
                backbone=MultimodalLM(str(folders["llava"])),
            )


def test_several_tokens_a_frame_are_refused_for_qwen(folders: dict[str, Path]) -> None:
    with pytest.raises(SettingError, match="'grid2x2'; a qwen2_5_vl gives a frame's tokens three-dimensional"):
        VisionTower(str(folders["qwen2.5"]), tokens="grid2x2").encode(pictures(1))
    features = VisionTower(str(folders["qwen2.5"])).feature_spec(4.0)._replace(tokens_per_frame=4)
    with pytest.raises(SettingError, match="4 tokens a frame; for a qwen2_5_vl"):
        make(
            DiscriminativeClassifier,
            schema=schema()._replace(features=features),
            backbone=MultimodalLM(str(folders["qwen2.5"])),
        )


def test_other_families_are_refused_by_name(tmp_path: Path, folders: dict[str, Path]) -> None:
    from transformers import LlavaConfig, PaliGemmaConfig

    with pytest.raises(SettingError, match="'paligemma' are not among the multimodal ones known here: llava"):
        family_of(PaliGemmaConfig())
    with pytest.raises(SettingError, match="is a pixtral, whose pictures have no fixed size"):
        family_of(LlavaConfig(vision_config={"model_type": "pixtral"}))
    with pytest.raises(SettingError, match="cannot be used as a language model"):
        make(DiscriminativeClassifier, backbone=MultimodalLM(str(llama_folder(tmp_path / "llama"))))
