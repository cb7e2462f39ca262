"""The command ``search``: by text, by example, by order, and only with the classifier of the index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gad_lightning.cli import main as command
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.retrieval.moment_index import MomentIndex
from gad_lightning.tools.search import main
from tests.report.making import NASTY, NASTY_VIDEO
from tests.retrieval.making import facts, moments_of, random_rows
from tests.tools.searching import trained_run


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """An index whose classifier knows no texts, of three videos."""
    rows = [(0, 0, 2, 1, 0), (0, 4, 6, 2, 0), (0, 8, 9, 3, 0), (1, 5, 6, 1, 0), (1, 1, 2, 2, 0), (2, 0, 1, 1, 0)]
    moments = moments_of([(*map(float, row[:3]), *row[3:]) for row in rows])  # type: ignore[misc]  # five numbers each
    return MomentIndex.build(tmp_path / "index", random_rows(6), moments, facts()).folder


@pytest.fixture(scope="module")
def contrasted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with its index, whose classifier knows texts."""
    run = trained_run(tmp_path_factory.mktemp("run"), "--model.objectives+=gad_lightning.ContrastText")
    command(["index", str(run)])
    return run


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was printed, as JSON."""
    return json.loads(capsys.readouterr().out)


def test_a_class_is_found_by_its_name_and_the_surest_come_first(
    plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(plain), "Add", "salt"], format="json")
    found = told(capsys)
    assert [answer["moments"][0]["video"] for answer in found] == ["video 0", "video 1"]
    assert found[0]["moments"][0] == {
        "video": "video 0",
        "start": 4.0,
        "end": 6.0,
        "label": "add salt",
        "probability": pytest.approx(5 / 6),
        "score": pytest.approx(5 / 6),
    }


def test_steps_are_found_in_their_order(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(plain)], order="cut tomato, add salt")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["1", "0.917", "0:00.0-0:02.0", "cut", "tomato", "video", "0"],
        ["1", "0.917", "0:04.0-0:06.0", "add", "salt", "video", "0"],
    ]
    main([str(plain)], order="stir, add salt")
    assert capsys.readouterr().out.startswith("Nothing found: no video of the index shows what was asked for")


def test_names_are_shown_and_never_obeyed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = facts(1)._replace(classes=("background", *NASTY[1:3], "\x1b[2J"), videos=(NASTY_VIDEO + "\x1b[2J",))
    folder = MomentIndex.build(tmp_path / "i", random_rows(1), moments_of([(0, 0.0, 1.0, 3, 0)]), hostile).folder
    main([str(folder), "\x1b[2J"])
    assert "\x1b" not in capsys.readouterr().out
    main([str(folder), "\x1b[2J"], format="page", output=tmp_path / "page.html", videos=tmp_path)
    assert "\x1b" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img src=x" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_text_that_is_no_class_is_refused_where_there_are_no_texts(plain: Path) -> None:
    with pytest.raises(SettingError, match=r"'add pepper' is no class.*'add salt', 'stir'\.[^!]*ContrastText"):
        main([str(plain), "add pepper"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "0 questions were asked[^!]*give a text after the index"),
        ({"like": "a@1", "order": "a, b"}, "2 questions were asked"),
        ({"order": "stir"}, "An order has at least two steps"),
        ({"like": "video.mp4"}, r"--like=video\.mp4 names no moment[^!]*file@seconds"),
        ({"like": "video.mp4@-1"}, "names no moment"),
        ({"like": "video.mp4@x"}, "names no moment"),
        ({"order": "a, b", "count": 0}, "count must be at least 1"),
        ({"order": "a, b", "unit": "second"}, "--unit=second does not go with --order"),
        ({"order": '"a, b"'}, r"at least two steps, got \['a, b'\]"),
    ],
)
def test_questions_that_mean_nothing_are_refused(plain: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        main([str(plain)], **arguments)


def test_a_page_of_another_make_is_not_overwritten(plain: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for _ in range(2):
        main([str(plain), "stir"], format="page", output=page)
    assert "stir" in page.read_text(encoding="utf-8")
    page.write_text("my notes")
    with pytest.raises(SettingError, match="was not made by gad-lightning search"):
        main([str(plain), "stir"], format="page", output=page)


def test_any_text_finds_moments_where_the_classifier_knows_texts(
    contrasted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(["search", str(contrasted / "index"), "pour slowly", "--format=json", "--count=3"])
    found = told(capsys)
    assert len(found) == 3
    assert found[0]["score"] >= found[1]["score"] >= found[2]["score"]
    steps = ", ".join(ToyActions().class_names[1:3])
    command(["search", str(contrasted / "index"), f"--order={steps}", "--format=json"])
    for answer in told(capsys):
        first, second = answer["moments"]
        assert first["video"] == second["video"]
        assert first["start"] < second["start"]


def test_a_moment_of_a_video_is_nearest_to_itself(
    contrasted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ToyActions(mode="one_pass", num_videos=12)
    record = data.videos("test")[0]
    np.save(tmp_path / "video.npy", record.frames.rows(np.arange(record.frames.num_frames)))
    command(
        ["search", str(contrasted / "index"), f"--like={tmp_path / 'video.npy'}@2.5", "--unit=second", "--format=json"]
    )
    best = told(capsys)[0]
    assert best["score"] > 0.9
    with pytest.raises(SettingError, match="there is no second 1e"):
        main([str(contrasted / "index")], like=f"{tmp_path / 'video.npy'}@1e6")


def test_another_checkpoint_is_refused(contrasted: Path, tmp_path: Path) -> None:
    other = trained_run(tmp_path, "--model.objectives+=gad_lightning.ContrastText", "--seed_everything=7")
    with pytest.raises(SettingError, match="is the index of another checkpoint"):
        main([str(contrasted / "index"), "stir"], checkpoint=str(other / "checkpoints" / "best.ckpt"))


def test_a_checkpoint_that_is_gone_is_asked_for_and_no_address_is_fetched(tmp_path: Path) -> None:
    for named in ("gone.ckpt", "https://example.invalid/best.ckpt"):
        moved = facts()._replace(space="ContrastText", checkpoint=named)
        folder = MomentIndex.build(tmp_path / "i", random_rows(1), moments_of([(0, 0.0, 1.0, 3, 0)]), moved).folder
        with pytest.raises(MissingDataError, match=f"there is no file {named}[^!]*give --checkpoint"):
            main([str(folder), "stir"])
