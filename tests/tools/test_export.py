"""Exported classifiers give the classifier's scores, for any batch and length, without this library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.cli import main
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.temperature import Temperature
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import LabelSet, Task
from gad_lightning.tools.export import export_classifier, export_step
from tests.backbones.folders import llama_folder
from tests.classifiers.making import make, random_frames, schema
from tests.exporting.moving import LORA, moved


@pytest.mark.parametrize(
    ("kind", "tokens", "prompt"),
    [
        pytest.param(DiscriminativeClassifier, 1, Prompt(), id="plain"),
        pytest.param(GADClassifier, 3, Prompt(separator=",", opener="]\n<cls>"), id="separators and a longer opener"),
        pytest.param(DiscriminativeClassifier, 2, Prompt(opener=""), id="no opener"),
    ],
)
def test_the_file_gives_the_scores_for_any_batch_and_length(
    kind: type[Classifier], tokens: int, prompt: Prompt, tmp_path: Path
) -> None:
    given = schema(short=40)
    features = given.features._replace(tokens_per_frame=tokens, mean=(0.3,) * 6, std=(2.0,) * 6)
    backbone = TinyBackbone(hidden_size=32, lora=LORA)
    classifier = moved(make(kind, schema=given._replace(features=features), prompt=prompt, backbone=backbone))
    tried = [random_frames(size, length, tokens=tokens) for size, length in ((1, 40), (5, 2), (2, 5), (1, 1))]
    with torch.no_grad():
        expected = [classifier(frames) for frames in tried]
    made = Decisions(given.tasks[0].labels, 4.0, Temperature(1.5))
    classifier.decisions = {given.tasks[0].name: made}
    assert export_classifier(classifier, tmp_path / "x.pt2") < 1e-5
    about = {"gad_lightning.json": ""}
    program = torch.export.load(tmp_path / "x.pt2", extra_files=about)
    for frames, scores in zip(tried, expected, strict=True):
        assert torch.allclose(program.module()(frames), scores, atol=1e-5)
    assert not [name for name in program.state_dict if "lora" in name]
    told = json.loads(about["gad_lightning.json"])
    assert told["most_frames"] == 40
    assert rebuild(told["decisions"]).spec() == made.spec()


def test_each_task_is_a_file_of_its_own(tmp_path: Path) -> None:
    labels = LabelSet(("tea", "coffee"))
    given = schema(short=8)
    classifier = moved(make(GADClassifier, schema=given._replace(tasks=(*given.tasks, Task("goal", labels, False)))))
    frames = random_frames(2, 8)
    with torch.no_grad():
        expected = classifier(frames, task=1)[:, :2]
    export_classifier(classifier, tmp_path / "x.pt2", task=1)
    program = torch.export.load(tmp_path / "x.pt2")
    assert torch.allclose(program.module()(frames), expected, atol=1e-5)


@pytest.mark.slow  # a fresh process imports torch
def test_the_command_reads_a_shared_folder_and_torch_alone_runs_the_file(tmp_path: Path) -> None:
    classifier = moved(make(GADClassifier))
    classifier.save_pretrained(tmp_path / "shared")
    main(["export", str(tmp_path / "shared"), str(tmp_path / "x.pt2")])
    frames = random_frames(2, 8)
    torch.save(frames, tmp_path / "frames.pt")
    code = f"""
import sys, torch
scores = torch.export.load({str(tmp_path / "x.pt2")!r}).module()(torch.load({str(tmp_path / "frames.pt")!r}))
torch.save(scores, {str(tmp_path / "scores.pt")!r})
assert not {{"gad_lightning", "transformers", "peft"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        assert torch.allclose(torch.load(tmp_path / "scores.pt"), classifier(frames), atol=1e-5)


def test_what_cannot_be_exported_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="A GenerativeClassifier on a TinyBackbone cannot be exported"):
        export_classifier(make(GenerativeClassifier), tmp_path / "x.pt2")
    quantized = CausalLM(str(llama_folder(tmp_path / "llama")), lora=LORA, quantization="nf4")
    with pytest.raises(SettingError, match="a LoRA cannot be merged into it"):
        export_classifier(make(GADClassifier, backbone=quantized), tmp_path / "x.pt2")
    with pytest.raises(SettingError, match="trained in window mode"):
        export_step(make(GADClassifier), tmp_path / "x.pt2")
    with pytest.raises(SettingError, match=r"x\.onnx does not end with \.pt2"):
        main(["export", str(tmp_path / "nothing"), str(tmp_path / "x.onnx"), "--format=aoti"])
    make(GADClassifier).save_pretrained(tmp_path / "shared")
    with pytest.raises(SettingError, match="no task 'dance'; the classifier has action"):
        main(["export", str(tmp_path / "shared"), str(tmp_path / "x.pt2"), "--task=dance"])
    assert not (tmp_path / "x.pt2").exists()
