"""Classes as a verb and an object each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.nn.functional import cross_entropy

from gad_lightning.errors import DataError, SettingError
from gad_lightning.heads.factor import FactorHead
from gad_lightning.rebuilding import factory
from gad_lightning.schema import LabelSet
from gad_lightning.types import IGNORED
from tests.training.processes import start

LABELS = LabelSet(("background", "add sugar", "add salt", "stir sugar", "stir"), 0)
GIVEN = {
    "add sugar": ("put", "sweet"),
    "add salt": ("put", "salt"),
    "stir sugar": ("mix", "sweet"),
    "stir": ("mix", ""),
}
STATES = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
ONES = torch.ones(6)


def made(labels: LabelSet = LABELS, **settings: object) -> FactorHead:
    """A head of four actions, whose weights are always the same."""
    torch.manual_seed(0)
    return FactorHead(8, labels, **settings)  # type: ignore[arg-type]  # one test's setting


def step(head: FactorHead, label: Tensor, rate: float = 0.5) -> None:
    """One step of gradient descent on all losses of the head."""
    weights = [weight for weight in head.parameters() if weight.requires_grad]
    extra = sum(loss.sum / loss.count for loss in head.extra_losses(STATES, label, ONES).values())
    (cross_entropy(head(STATES), label) + extra).backward()
    torch.optim.SGD(weights, lr=rate).step()
    head.zero_grad()


def test_without_numbers_of_pairs_it_is_the_product_of_two_softmaxes_over_the_pairs_that_are_classes() -> None:
    head = made()
    verbs, things = head.verbs(STATES).softmax(1), head.objects(STATES).softmax(1)
    pairs = torch.stack(
        [
            verbs[:, head.verb_names.index(verb)] * things[:, head.object_names.index(thing)]
            for verb, thing in (
                ("\nbackground",) * 2,
                ("add", "sugar"),
                ("add", "salt"),
                ("stir", "sugar"),
                ("stir", ""),
            )
        ],
        1,
    )
    assert torch.allclose(head(STATES).softmax(1), pairs / pairs.sum(1, keepdim=True), atol=1e-6)


def test_the_number_of_a_pair_that_training_never_shows_stays_0() -> None:
    head, label = made(), torch.tensor([0, 1, 1, 3, 3, 4])
    for _ in range(5):
        step(head, label)
    assert (head._bonus() != 0).tolist() == [True, True, False, True, True]
    assert head.interaction.tolist()[2] == 0.0


def test_a_larger_shrinkage_keeps_the_numbers_nearer_to_0() -> None:
    lengths = []
    for shrinkage in (0.0, 0.1):
        head = made(shrinkage=shrinkage)
        for _ in range(20):
            step(head, torch.tensor([0, 1, 1, 3, 3, 4]))
        lengths.append(float(head.interaction.detach().norm()))
    assert lengths[1] < 0.9 * lengths[0]


def test_a_pair_without_an_example_is_found_by_its_verb_and_its_object() -> None:
    labels = LabelSet(("add sugar", "add salt", "stir sugar", "stir salt"))
    head, place = made(labels), torch.eye(4, 8)
    states = torch.stack([place[0] + place[2], place[0] + place[3], place[1] + place[2], place[1] + place[3]])
    optimizer = torch.optim.Adam([weight for weight in head.parameters() if weight.requires_grad], lr=0.05)
    for _ in range(100):  # the last one is never shown
        optimizer.zero_grad()
        extra = head.extra_losses(states[:3], torch.arange(3), torch.ones(3))
        total = cross_entropy(head(states[:3]), torch.arange(3)) + sum(x.sum / x.count for x in extra.values())
        total.backward()
        optimizer.step()
    assert head(states).argmax(1).tolist() == [0, 1, 2, 3]


def test_the_losses_are_those_of_verb_and_object_and_the_penalty() -> None:
    head, label = made(factor_weight=0.5, shrinkage=0.25), torch.tensor([0, 1, IGNORED, 2, 3, 4])
    head.interaction.data.fill_(2.0)
    weight = torch.tensor([0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    known = label != IGNORED
    verb = torch.tensor([0, 1, IGNORED, 1, 2, 2])
    thing = torch.tensor([0, 1, IGNORED, 2, 1, 3])
    parts = [
        (cross_entropy(layer(STATES), target, reduction="none", ignore_index=IGNORED) * weight).sum()
        for layer, target in ((head.verbs, verb), (head.objects, thing))
    ]
    found = head.extra_losses(STATES, label, weight)
    assert torch.allclose(found["factors"].sum, 0.5 * (parts[0] + parts[1]))
    assert float(found["factors"].count) == int(known.sum())
    assert float(found["interaction"].sum.detach() / found["interaction"].count) == pytest.approx(0.25 * 5 * 4.0)


def test_of_several_labels_each_verb_and_object_is_true_once() -> None:
    head = made(LABELS._replace(multi_label=True))
    hot = torch.tensor([[0.0, 1.0, 1.0, 0.0, 0.0], [-100.0] * 5])
    found = head.extra_losses(STATES[:2], hot, ONES[:2])["factors"]
    verbs, things = torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    expected = binary(head.verbs(STATES[:1]), verbs, reduction="sum")
    expected = expected + binary(head.objects(STATES[:1]), things, reduction="sum")
    assert torch.allclose(found.sum, 0.5 * expected)
    assert float(found.count) == 1
    assert head.seen.tolist() == [0, 1, 1, 0, 0]


def test_a_step_without_queries_has_a_gradient_for_every_weight() -> None:
    head = made()
    extra = head.extra_losses(STATES[:0], torch.zeros(0, dtype=torch.int64), ONES[:0])
    (head(STATES[:0]).sum() + sum(loss.sum for loss in extra.values())).backward()
    assert all(weight.grad is not None for weight in head.parameters() if weight.requires_grad)


def test_it_says_what_it_found_in_the_names() -> None:
    assert made().summary() == (
        "FactorHead: 2 verbs (add, stir) and 3 objects (sugar, salt, no object) in the names of 4 classes, of 6 pairs."
    )
    assert "given for 4 classes" in made(factors=GIVEN).summary()
    alone = LabelSet(("cut apple", "pour_hot water"))
    assert made(alone).summary().endswith("No two classes share one, so none helps another.")


@pytest.mark.parametrize("name", ["<background>", "background", "\nbackground"])
def test_no_further_class_gets_the_verb_of_the_background(name: str) -> None:
    with pytest.raises(SettingError, match=r"verb '.*background.*' of the class 'q' is none that"):
        made().check_pairs({"q": (name, "salt")})


def test_names_that_begin_with_a_bracket_are_names_like_others() -> None:
    head = made(LabelSet(("background", "<add> <salt>", "<background> <salt>", "<add> tea"), 0))
    assert head.summary().startswith("FactorHead: 2 verbs (<add>, <background>) and 2 objects (<salt>, tea)")
    assert head.check_pairs({"q": ("<background>", "tea")}) == {"q": ("<background>", "tea")}
    assert head.verb_of.tolist() == [0, 1, 2, 1]


def test_a_checkpoint_needs_no_file(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,verb,object,text\nadd sugar,put,sweet,x\nadd salt,put,salt,\nstir sugar,mix,sweet,\n")
    with pytest.raises(SettingError, match="says nothing of the class 'stir'"):
        made(factors=str(table))
    table.write_text(table.read_text() + "stir,mix,air,\nfly,fly,air,\n")
    head = made(factors=table)
    table.unlink()
    again = factory(head.spec(supplied=2))(8, LABELS)
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(STATES), head(STATES))
    assert again.verb_names == ("\nbackground", "put", "mix")


def test_the_state_without_logits_is_that_of_the_sums() -> None:
    head = made()
    head.interaction.data.copy_(torch.randn(5))
    head.seen.data.fill_(1.0)
    origin = head.origin()
    assert float(head(origin.float()[None]).detach().norm()) < 1e-4
    head.add_pairs({"stir salt": ("stir", "salt")})
    assert torch.equal(head.origin(), origin)


BAD = [
    pytest.param({"factors": {**GIVEN, "stir": "mix"}}, "'stir' are 'mix', not a verb and an object", id="no pair"),
    pytest.param({"factors": {**GIVEN, "stir": (1, 2)}}, "not a verb and an object", id="numbers"),
    pytest.param({"factors": {**GIVEN, "stir": None}}, "not a verb and an object", id="nothing"),
    pytest.param({"factors": {**GIVEN, "stir": ("", "pot")}}, "not a verb and an object", id="no verb"),
    pytest.param(
        {"factors": {**GIVEN, "stir": ("put", "salt")}}, "'add salt' and 'stir' both have the verb 'put'", id="twice"
    ),
    pytest.param({"factors": {**GIVEN, "stir": ("Put", "pot")}}, "verbs 'put' and 'Put', which differ by", id="alike"),
    pytest.param({"factors": {"add sugar": ("put", "sweet")}}, "says nothing of the class 'add salt'", id="missing"),
    pytest.param({"factor_weight": -1}, "factor_weight of FactorHead must be 0 or more, got -1", id="weight"),
    pytest.param({"shrinkage": float("nan")}, "shrinkage of FactorHead must be 0 or more, got nan", id="shrinkage"),
]


@pytest.mark.parametrize(("settings", "named"), BAD)
def test_what_cannot_be_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        made(**settings)


def test_an_empty_object_in_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "classes.csv"
    table.write_text("label,verb,object\nadd sugar,put,\n")
    with pytest.raises(DataError, match="line 2: object is empty"):
        made(factors=table)


def note_own_class(rank: int, folder: Path) -> None:
    """Show one class to each of two processes."""
    distributed.init_process_group("gloo")
    head = made()
    head.extra_losses(STATES[:2], torch.tensor([rank + 1, IGNORED]), ONES[:2])
    torch.save(head.seen.detach(), folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow(reason="starting two processes takes seconds")
def test_what_one_process_shows_is_seen_by_all(tmp_path: Path) -> None:
    assert start(2, note_own_class, tmp_path) == [0, 0]
    for rank in (0, 1):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=True).tolist() == [0, 1, 1, 0, 0]
