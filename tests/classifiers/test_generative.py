"""The generative classifier, where it equals the discriminative one."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.heads.vocabulary import VocabularyHead
from gad_lightning.prompts.labels.single_token import SingleTokenLabels
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.nearest import NearestReadout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.schema import LabelSet, Task
from tests.classifiers.making import NAMES, batch, make, random_frames, schema, train


@pytest.mark.parametrize("readout", [TrieReadout(), NearestReadout(max_tokens=1)])
def test_vocabulary_head_equals_single_token_generation_with_the_same_opener(
    readout: TrieReadout | NearestReadout,
) -> None:
    gen = make(GenerativeClassifier, labels=SingleTokenLabels(), readout=readout).eval()
    disc = make(DiscriminativeClassifier, head=VocabularyHead, prompt=Prompt(opener="\nAssistant:")).eval()
    shared = {name: weight for name, weight in gen.state_dict().items() if "new_tokens" not in name}
    disc.load_state_dict(shared, strict=False)
    rows = gen.backbone.new_tokens.output
    with torch.no_grad():
        # so that free text begins with a class: of two opposite logits one is not below the words' logits of 0
        gen.backbone.causal_lm.get_output_embeddings().weight.zero_()
        rows[1] = -rows[0]
        disc.heads[0].rows.weight.copy_(rows)
    frames = random_frames(4, 8)
    assert torch.equal(gen(frames).argmax(1), disc(frames).argmax(1))
    if isinstance(readout, TrieReadout):
        assert torch.allclose(gen(frames), disc(frames), atol=1e-5)


@pytest.mark.parametrize("dora", [False, True])
def test_lora_on_a_tied_head_unties_it_and_merged_equals_unmerged(dora: bool) -> None:
    lora = {"r": 4, "lora_alpha": 8, "use_dora": dora}
    backbone = TinyBackbone(hidden_size=32, lora=lora, lora_on_head=True)
    gen = make(GenerativeClassifier, backbone=backbone)
    train(gen, 3)
    gen.eval()
    frames = random_frames(3, 8)
    tokens = gen.backbone.place(gen.render(batch(frames, [[7]] * 3)))
    before = gen.backbone(tokens, frames).detach()
    logits = gen.backbone.token_logits(before[:, -1]).detach()
    ids = torch.tensor([7, 3])
    assert torch.allclose(gen.backbone.token_logits(before[:, -1], ids), logits[:, ids], atol=1e-5)
    assert backbone.merge() == 0.0
    assert torch.allclose(gen.backbone.token_logits(before[:, -1], ids), logits[:, ids], atol=1e-5)
    after = gen.backbone(tokens, frames)
    assert torch.allclose(before, after, atol=1e-5)
    assert torch.allclose(logits, gen.backbone.token_logits(before[:, -1]), atol=1e-5)
    with pytest.raises(SettingError, match="LoRA is merged"):
        backbone.trained_state()


def test_several_labels_a_frame_are_refused_as_one_is_written() -> None:
    several = schema()._replace(tasks=(Task("action", LabelSet(NAMES, 0, multi_label=True)),))
    with pytest.raises(SettingError, match=r"data\.multi_label is set .*writes one label a frame[^$]*GADClassifier"):
        make(GenerativeClassifier, schema=several)
