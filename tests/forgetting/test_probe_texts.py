"""The texts of the probes: ours can be read, the user's are checked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gad_lightning.backbones.new_tokens import NewTokens
from gad_lightning.backbones.tiny import word_tokenizer
from gad_lightning.backbones.tokenizer import TokenizerVocabulary
from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.forgetting.probe_texts import BLOCKS, HERE, probe_texts
from tests.prompts.test_plain_text import Letters


def words(*more: str) -> TokenizerVocabulary:
    """A vocabulary of all words of our texts."""
    ours = [path.read_text(encoding="utf-8") for path in sorted(HERE.iterdir())]
    tokenizer = word_tokenizer([*ours, *more])
    return TokenizerVocabulary(tokenizer, len(tokenizer), NewTokens())


def test_our_pairs_differ_and_our_questions_have_four_answers() -> None:
    with (HERE / "pairs.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    with (HERE / "questions.csv").open(encoding="utf-8", newline="") as file:
        questions = list(csv.reader(file))[1:]
    assert len(pairs) >= 60
    assert len({row["good"] for row in pairs}) == len({row["bad"] for row in pairs}) == len(pairs)
    assert all(row["good"] != row["bad"] for row in pairs)
    assert len(questions) >= 40
    assert all(len(set(row)) == 5 for row in questions)
    found = probe_texts(words(), 512)
    assert (len(found.pairs), len(found.questions)) == (len(pairs), len(questions))
    assert found.own is None
    assert found.neutral.shape[1] == 256


def test_only_what_an_answer_adds_to_its_question_is_scored() -> None:
    vocabulary = words()
    choice = probe_texts(vocabulary, 512).questions[0]
    asked, answer = choice.rows[0][: choice.start], choice.rows[0][choice.start :]
    assert vocabulary.decode(asked).replace(" ", "") == "ThecapitalofFranceis"
    assert vocabulary.decode(answer).strip() == "Paris"


def test_of_a_long_text_some_blocks_are_read_evenly(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(" ".join(f"w{number}" for number in range(4000)))
    vocabulary = words(*(f"w{number}" for number in range(4000)))
    own = probe_texts(vocabulary, 16, text=tmp_path / "own.txt").own
    assert own is not None
    assert own.shape == (BLOCKS, 16)
    assert vocabulary.decode(own[0, 1:3].tolist()) == "w0 w1"
    assert int(vocabulary.decode(own[-1, 1:2].tolist())[1:]) > 3800


def test_pairs_of_the_user_are_read_as_csv_or_as_blimp_has_them(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("good,bad\nThe cat sleeps.,The cat sleep.\n")
    (tmp_path / "blimp.jsonl").write_text(
        '{"sentence_good": "The cat sleeps.", "sentence_bad": "The cat sleep.", "UID": "x"}\n\n'
    )
    found = [probe_texts(words(), 512, pairs=tmp_path / name).pairs for name in ("own.csv", "blimp.jsonl")]
    assert found[0] == found[1]
    assert len(found[0]) == 1


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", "good\nThe cat.\n", "has no column 'bad'"),
        ("a.csv", "good,bad\nThe cat.,\n", r"a\.csv, line 2: good or bad is empty"),
        ("a.csv", "good,bad\nThe cat.,The cat.\n", "holds no pair that the tokenizer tells apart"),
        ("a.jsonl", '{"good": "The cat."}\n', r"a\.jsonl, line 1: no pair of sentences: KeyError\('sentence_good'\)"),
        ("a.jsonl", "The cat.\n", r"a\.jsonl, line 1: no pair of sentences"),
        ("a.jsonl", "3\n", r"a\.jsonl, line 1: no pair of sentences"),
    ],
)
def test_pairs_that_are_none_are_named(name: str, content: str, what: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=what):
        probe_texts(words(), 512, pairs=tmp_path / name)


def test_files_that_are_not_there_are_named_with_their_option(tmp_path: Path) -> None:
    for name in ("no.csv", "no.jsonl"):
        with pytest.raises(MissingDataError, match=rf"no\.{name[3:]}"):
            probe_texts(words(), 512, pairs=tmp_path / name)
    with pytest.raises(MissingDataError, match=r"--text: there is no text file .*no\.txt"):
        probe_texts(words(), 512, text=tmp_path / "no.txt")
    (tmp_path / "short.txt").write_text("a")
    with pytest.raises(DataError, match=r"--text .*short\.txt gives the tokenizer fewer than two tokens"):
        probe_texts(Letters(None), 512, text=tmp_path / "short.txt")
