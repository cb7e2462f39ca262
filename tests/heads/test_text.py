"""Classes as vectors of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.heads.cosine import CosineHead
from gad_lightning.heads.text import TextHead, TextMode
from gad_lightning.rebuilding import factory
from gad_lightning.schema import LabelSet

LABELS = LabelSet(("background", "stir", "cut", "pour"), 0)
TEXTS = {"stir": "stirs a pot", "cut": "cuts a carrot", "pour": "pours water"}


def tower(texts: Sequence[str], encoder: str | None) -> Tensor:
    """One direction a text, the same for the same text."""
    rows = [torch.randn(8, generator=torch.Generator().manual_seed(sum(map(ord, text)))) for text in texts]
    return torch.stack(rows)


def prepared(mode: TextMode = "frozen", **settings: object) -> TextHead:
    """A head of three texts."""
    head = TextHead(8, LABELS, texts=dict(TEXTS), mode=mode, **settings)  # type: ignore[arg-type]  # one test's setting
    head.prepare(tower)
    return head


def test_free_rows_equal_the_cosine_head_to_the_last_bit() -> None:
    torch.manual_seed(3)
    free = prepared("free")
    torch.manual_seed(3)
    cosine, states = CosineHead(8, LABELS), torch.randn(5, 8)
    assert torch.equal(free.rows, cosine.directions)
    assert torch.equal(free(states), cosine(states))


def test_logits_are_cosines_of_state_and_text_over_the_temperature() -> None:
    head, states = prepared(temperature=0.1), torch.randn(5, 8)
    vectors = tower(list(TEXTS.values()), None)
    wanted = torch.cosine_similarity(states[:, None], (vectors - vectors.mean(0))[None], dim=-1) / 0.1
    assert torch.allclose(head(states)[:, 1:], wanted, atol=1e-5)


def test_a_sentence_encoder_is_not_centered() -> None:
    head = prepared(tower="folder")
    assert torch.equal(head.center, torch.zeros(8))
    assert torch.allclose(head.fixed[1:], torch.nn.functional.normalize(tower(list(TEXTS.values()), None), dim=-1))


@pytest.mark.parametrize(("mode", "moved"), [("frozen", [True, False, False, False]), ("init", [True] * 4)])
def test_only_the_background_is_trained_where_the_texts_are_frozen(mode: TextMode, moved: list[bool]) -> None:
    head, states = prepared(mode), torch.randn(16, 8)
    before = head(states).detach()
    optimizer = torch.optim.SGD([head.rows], lr=0.1)
    head(states).logsumexp(1).sum().backward()
    optimizer.step()
    assert ((head(states) - before).abs() > 1e-4).any(0).tolist() == moved


def test_a_checkpoint_needs_neither_file_nor_tower(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,text\n" + "".join(f"{name},{text}\n" for name, text in TEXTS.items()))
    head = TextHead(8, LABELS, texts=table)
    head.prepare(tower)
    table.unlink()
    again = factory(head.spec(supplied=2))(8, LABELS)
    again.prepare(lambda texts, encoder: pytest.fail("the tower was asked"))
    again.load_state_dict(head.state_dict())
    states = torch.randn(4, 8)
    assert torch.equal(again(states), head(states))


def test_a_class_without_text_is_named_and_what_may_be_meant() -> None:
    with pytest.raises(SettingError, match="says nothing of the class 'pour'") as caught:
        TextHead(8, LABELS, texts={"stir": "stirs", "cut": "cuts", "poor": "pours"})
    assert "'poor'" in caught.value.remedy


def test_an_empty_text_is_named() -> None:
    with pytest.raises(SettingError, match="text of the class 'cut' is empty"):
        TextHead(8, LABELS, texts={**TEXTS, "cut": " "})


def test_an_empty_text_in_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,text\nstir,stirs\ncut,\n")
    with pytest.raises(DataError, match="line 3: text is empty"):
        TextHead(8, LABELS, texts=str(table))


def test_texts_that_are_hardly_told_apart_are_named() -> None:
    head = TextHead(8, LABELS, texts={**TEXTS, "cut": "stirs a pot"})
    with pytest.warns(UserWarning, match="'stir' and 'cut' have a cosine of 1.000"):
        head.prepare(tower)


def test_a_temperature_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="temperature of TextHead must be above 0, got 0"):
        TextHead(8, LABELS, temperature=0)


def test_a_head_that_was_not_prepared_says_so() -> None:
    with pytest.raises(SettingError, match="no vectors of its texts"):
        TextHead(8, LABELS)(torch.zeros(1, 8))
