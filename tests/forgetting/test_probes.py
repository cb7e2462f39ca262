"""Each probe is what a plain loop finds, and that of the model as it came at scale 0, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.weights.scaling import AdapterScale
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.forgetting.probe_texts import HERE, ProbeTexts, probe_texts
from gad_lightning.forgetting.probes import Probes
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from tests.backbones.folders import llama_folder

TEXT = "The cat sleeps on the chair. The water was frozen. Bees make honey. "


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, ToyActions, ProbeTexts]:
    """A classifier that writes new tokens, far from its base, its data, and the texts."""
    home = tmp_path_factory.mktemp("probes")
    own = [path.read_text(encoding="utf-8") for path in sorted(HERE.iterdir())]
    folder = llama_folder(home / "base", words=own)
    data = ToyActions(num_videos=20, mode="one_pass", short_memory=4, chunk=32)
    lora: dict[str, Any] = {"r": 4, "init_lora_weights": False}
    torch.manual_seed(0)
    classifier = GADClassifier(
        backbone=CausalLM(str(folder), lora=lora, lora_on_head=True), schema=data.schema, labels=SingleTokenLabels()
    ).eval()
    (home / "own.txt").write_text(TEXT * 20)
    backbone = classifier.backbone
    return classifier, data, probe_texts(backbone.vocabulary, backbone.max_positions, home / "own.txt")


def test_at_scale_0_every_probe_is_that_of_the_base_bit_for_bit(
    made: tuple[Classifier, ToyActions, ProbeTexts],
) -> None:
    classifier, data, texts = made
    probes = Probes(classifier, texts, data)
    with classifier.backbone.original():
        base = probes.measure()
    trained = probes.measure()
    adapter = AdapterScale(classifier.backbone)
    adapter.set(0.0)
    at_0 = probes.measure()
    adapter.set(1.0)
    assert at_0 == base
    assert at_0["kl_neutral"] == at_0["kl_text"] == at_0["kl_prompts"] == 0.0
    assert probes.measure() == trained
    assert all(trained[name] > 1e-4 for name in ("kl_neutral", "kl_text", "kl_prompts", "new_tokens"))
    assert set(trained) == {
        *("kl_neutral", "new_tokens", "kl_prompts", "pairs", "questions", "perplexity_neutral"),
        *("kl_text", "perplexity_text"),
    }


@torch.no_grad()
def test_divergence_perplexity_and_what_new_tokens_take_are_those_of_plain_calls(
    made: tuple[Classifier, ToyActions, ProbeTexts],
) -> None:
    classifier, data, texts = made
    backbone = classifier.backbone
    assert isinstance(backbone, CausalLM)
    found = Probes(classifier, texts, data).measure()
    divergences, surprises, lost = [], [], []
    for block in texts.neutral:
        ids = block[block >= 0].unsqueeze(0)
        model = backbone.causal_lm
        states = model.model(ids).last_hidden_state[0, :-1]
        tuned = model(ids).logits[0, :-1].log_softmax(1)
        with backbone.original() as original:
            base = original(ids).logits[0, :-1].log_softmax(1)
        divergences.append((base.exp() * (base - tuned)).sum(1))
        surprises.append(-tuned.gather(1, ids[0, 1:, None])[:, 0])
        size = backbone.vocabulary.size
        lost.append(-backbone.token_logits(states).log_softmax(1)[:, :size].logsumexp(1))
    assert found["kl_neutral"] == pytest.approx(float(torch.cat(divergences).mean()), rel=1e-4)
    assert found["perplexity_neutral"] == pytest.approx(float(torch.cat(surprises).mean().exp()), rel=1e-4)
    assert found["new_tokens"] == pytest.approx(float(torch.cat(lost).mean()), rel=1e-4)


@torch.no_grad()
def test_a_pair_is_right_where_the_whole_good_sentence_is_likelier(
    made: tuple[Classifier, ToyActions, ProbeTexts],
) -> None:
    classifier, data, texts = made
    assert isinstance(classifier.backbone, CausalLM)
    model = classifier.backbone.causal_lm

    def likelihood(ids: tuple[int, ...], start: int) -> float:
        logits = model(torch.tensor([ids])).logits[0].log_softmax(1)
        return sum(float(logits[place - 1, ids[place]]) for place in range(start, len(ids)))

    found = Probes(classifier, texts, data).measure()
    for name, choices in (("pairs", texts.pairs), ("questions", texts.questions)):
        scores = [[likelihood(row, choice.start) for row in choice.rows] for choice in choices]
        assert found[name] == pytest.approx(sum(row[0] > max(row[1:]) for row in scores) / len(scores)), name
