"""Vision models of transformers, real classes at tiny size, and a real MobileNetV2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open

from gad_lightning.errors import DataError, SettingError
from gad_lightning.rebuilding import rebuild
from gad_lightning.video.decode import VideoFile
from gad_lightning.video.encode import Settings, encode_video, encode_videos
from gad_lightning.video.encoding.huggingface import HuggingFaceEncoder
from gad_lightning.video.features.feature_file import FeatureFile

SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION: dict[str, Any] = {**SIZES, "intermediate_size": 64, "image_size": 48, "patch_size": 8}
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)


def siglip() -> tuple[Any, Any]:
    """Vision half alone; no class token."""
    processor = transformers.SiglipImageProcessorPil(size={"height": 48, "width": 48})
    return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**VISION)), processor


def siglip_with_text() -> tuple[Any, Any]:
    """Both halves in one checkpoint."""
    text = {**SIZES, "intermediate_size": 64, "vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2}
    config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
    return transformers.SiglipModel(config), siglip()[1]


def clip() -> tuple[Any, Any]:
    """A class token before the patches; the processor crops."""
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 52}, crop_size={"height": 48, "width": 48})
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**VISION)), processor


def dino() -> tuple[Any, Any]:
    """The processor resizes and crops."""
    processor = transformers.BitImageProcessorPil(size={"shortest_edge": 60}, crop_size={"height": 48, "width": 48})
    return transformers.Dinov2Model(transformers.Dinov2Config(**SIZES, image_size=48, patch_size=8)), processor


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "siglip": siglip,
    "siglip_with_text": siglip_with_text,
    "clip": clip,
    "dino": dino,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders as ``save_pretrained`` writes them."""
    torch.manual_seed(0)
    folders = {}
    for name, make in MODELS.items():
        model, processor = make()
        folders[name] = tmp_path_factory.mktemp("models") / name
        model.save_pretrained(folders[name])
        processor.save_pretrained(folders[name])
    return folders


@pytest.mark.parametrize("name", MODELS)
def test_features_are_those_of_the_model_and_its_processor(saved: dict[str, Path], name: str) -> None:
    encoder = HuggingFaceEncoder(str(saved[name]), tokens="pooled+grid3x3")
    features = encoder.encode(np.stack([PICTURE, PICTURE[::-1]]))
    assert features.shape == (2, 10, 32)
    assert (encoder.tokens_per_frame, encoder.width) == (10, 32)
    processor = transformers.AutoImageProcessor.from_pretrained(saved[name], backend="pil")
    whole = transformers.AutoModel.from_pretrained(saved[name])
    with torch.no_grad():
        pixels = processor(PICTURE, return_tensors="pt")["pixel_values"]
        found = getattr(whole, "vision_model", whole)(pixel_values=pixels)
    grid = found.last_hidden_state[0, -36:].reshape(3, 2, 3, 2, 32).mean((1, 3)).reshape(9, 32)
    torch.testing.assert_close(features[0, 0], found.pooler_output[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(features[0, 1:], grid, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("tokens", "count"), [("pooled", 1), ("grid3x3", 9), ("grid1x2", 2), ("pooled+grid3x3", 10)])
def test_tokens_are_chosen(saved: dict[str, Path], tokens: str, count: int) -> None:
    assert HuggingFaceEncoder(str(saved["clip"]), tokens=tokens).tokens_per_frame == count


@pytest.mark.parametrize("tokens", ["", "cls", "pooled+", "+grid3x3", "grid3"])
def test_other_tokens_are_refused(saved: dict[str, Path], tokens: str) -> None:
    with pytest.raises(SettingError, match="give pooled, grid3x3 or pooled"):
        HuggingFaceEncoder(str(saved["clip"]), tokens=tokens).encode(PICTURE[None])


def test_name_and_revision_are_the_weights_not_the_place(saved: dict[str, Path], tmp_path: Path) -> None:
    labels = {HuggingFaceEncoder(str(folder)).label for folder in saved.values()}
    assert len(labels) == len(saved)
    moved = tmp_path / "clip"
    moved.mkdir()
    for path in saved["clip"].iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    assert HuggingFaceEncoder(str(moved)).label == HuggingFaceEncoder(str(saved["clip"])).label


def test_making_one_reads_nothing_and_it_is_rebuilt_from_its_spec() -> None:
    encoder = HuggingFaceEncoder("no/such-model", revision="abc", tokens="grid2x2", pad_to=384)
    again = rebuild(encoder.spec())
    assert isinstance(again, HuggingFaceEncoder)
    assert (again.tokens, again.shrink) == ("grid2x2", encoder.shrink)


def test_weights_go_where_the_encoder_was_sent_before_they_were_read(saved: dict[str, Path]) -> None:
    encoder = HuggingFaceEncoder(str(saved["dino"])).to("meta")
    assert encoder.device.type == "meta"
    encoder.load()
    assert {weight.device.type for weight in encoder.parameters()} == {"meta"}


def test_what_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"(?s)'no/such-model'.*folder written by save_pretrained"):
        HuggingFaceEncoder("no/such-model").load()
    with pytest.raises(SettingError, match="cannot be read from the vision encoder"):
        HuggingFaceEncoder(str(tmp_path)).prepare(PICTURE)


def test_missing_weights_are_not_made_up(saved: dict[str, Path], tmp_path: Path) -> None:
    model, processor = dino()
    state = {key: value for key, value in model.state_dict().items() if "layer.1" not in key}
    model.save_pretrained(tmp_path, state_dict=state)
    processor.save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"lacks \d+ weights of its vision model, first '.*layer.1"):
        HuggingFaceEncoder(str(tmp_path)).encode(PICTURE[None])


def test_a_model_without_its_pooler_gives_its_class_token(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(**VISION), add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 48, "width": 48}).save_pretrained(tmp_path)
    one, other = (HuggingFaceEncoder(str(tmp_path)).encode(PICTURE[None]) for _ in range(2))
    torch.testing.assert_close(one, other)  # a made-up pooler would differ
    assert one.shape == (1, 1, 32)


def test_half_precision_weights_give_float32_features(saved: dict[str, Path]) -> None:
    exact = HuggingFaceEncoder(str(saved["dino"])).encode(PICTURE[None])
    rough = HuggingFaceEncoder(str(saved["dino"]), dtype="bfloat16").encode(PICTURE[None])
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.1, rtol=0.1)


def test_the_coin_recipe_pads_to_a_square(saved: dict[str, Path], shared: Path, tmp_path: Path) -> None:
    encoder = HuggingFaceEncoder(str(saved["siglip"]), tokens="pooled+grid3x3", pad_to=384)
    video = shared / "data/videos/h264_bikes.mp4"  # 640 x 272
    picture = next(iter(VideoFile(video, 2.0, encoder.shrink))).picture
    assert picture.shape == (384, 384, 3)
    assert picture[:100].max() == picture[-100:].max() == 0
    encode_videos(video, tmp_path, encoder, Settings(fps=2.0))
    assert np.load(tmp_path / "h264_bikes.npy").shape == (20, 10, 32)
    stated = json.loads((tmp_path / "features.json").read_text())
    assert stated["recipe"]["shrink"] == {"side": 384, "mode": "pad"}
    assert stated["recipe"]["processor"]["size"] == {"height": 48, "width": 48}


def test_mobilenet_sees_what_it_is_known_to_see(shared: Path) -> None:
    """Frame 60 of the pancake video: potter's wheel 0.50, frying pan 0.04, by the model's own classifier."""
    folder = shared / "data/models/mobilenet-v2-imagenet"
    frames = iter(VideoFile(shared / "data/videos/h264_opus_flipping_a_pancake.mkv"))
    for _ in range(60):
        next(frames)
    encoder = HuggingFaceEncoder(str(folder))
    assert (encoder.width, encoder.tokens_per_frame) == (1280, 1)
    features = encoder.encode(next(frames).picture[None])[0, 0]
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        weight, bias = (file.get_tensor(f"classifier.{name}").float() for name in ("weight", "bias"))
    chances = (weight @ features + bias).softmax(0)
    names = json.loads((folder / "config.json").read_text())["id2label"]
    assert "potter's wheel" in names[str(int(chances.argmax()))]
    assert float(chances.max()) == pytest.approx(0.50, abs=0.01)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])  # a process imports transformers
def test_mobilenet_features_of_a_file_are_those_of_the_video(shared: Path, tmp_path: Path, workers: int) -> None:
    encoder = HuggingFaceEncoder(str(shared / "data/models/mobilenet-v2-imagenet"))
    videos = [shared / "data/videos" / name for name in ("h265_video.mp4", "h264_10bits.mp4")]
    encode_videos(videos, tmp_path, encoder, Settings(fps=4.0, workers=workers))
    for video in videos:
        stored = FeatureFile(tmp_path / f"{video.stem}.npy")
        assert stored.spec == encoder.feature_spec(4.0)
        here = encode_video(video, encoder, 4.0)
        np.testing.assert_allclose(stored.rows(slice(None)), here, atol=2e-3, rtol=2e-3)  # batches differ
