"""Rotary tables that a model chooses by the longest row are chosen once for a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.streaming.detector import OnlineDetector
from tests.backbones.folders import family_folder
from tests.classifiers.making import make, random_frames, schema

LONG = {
    "original_max_position_embeddings": 24,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0, 8.0, 16.0, 32.0],
        "original_max_position_embeddings": 24,
    },
}
DYNAMIC = {
    "max_position_embeddings": 64,
    "rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0},
}


@pytest.mark.parametrize(("family", "settings"), [("Phi3", LONG), ("Llama", DYNAMIC)])
def test_live_equals_offline_and_a_part_equals_the_whole(family: str, settings: dict[str, Any], tmp_path: Path) -> None:
    folder = str(family_folder(tmp_path, family, initializer_range=0.3, **settings))
    gad = make(
        GADClassifier, backbone=CausalLM(folder, lora={"r": 4}), schema=schema(mode="one_pass", short=12, chunk=32)
    ).eval()
    video = random_frames(1, 50)[0]
    offline, detector = gad.detect(video).scores.exp(), OnlineDetector(gad)
    live = torch.cat([detector.push(frame[None]).scores for frame in video]).exp()
    assert torch.allclose(live, offline, atol=1e-5)
    assert torch.allclose(gad.detect(video[:6]).scores.exp(), offline[:6], atol=1e-5)


def test_rows_within_the_first_length_keep_the_table_made_for_it(tmp_path: Path) -> None:
    rope = {**LONG["rope_parameters"], "original_max_position_embeddings": 48}
    folder = str(family_folder(tmp_path, "Phi3", original_max_position_embeddings=48, rope_parameters=rope))
    short = make(GADClassifier, backbone=CausalLM(folder, lora={"r": 4}), schema=schema(mode="window", short=4))
    long = make(GADClassifier, backbone=CausalLM(folder, lora={"r": 4}), schema=schema(mode="window", short=40))
    tables = [gad.backbone.decoder.rotary_emb.inv_freq for gad in (short, long)]
    assert torch.equal(tables[0], short.backbone.decoder.rotary_emb.original_inv_freq)
    assert torch.allclose(tables[1] * torch.tensor(LONG["rope_parameters"]["long_factor"]), tables[0])
