"""The folder of a run: which checkpoint counts, its config, its curves, its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.results.run_folder import chosen_checkpoint, predictions_of, read_config, read_curves, run_folder_of


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        pytest.param(["last.ckpt", "best.ckpt", "epoch=9.ckpt"], "best.ckpt", id="validation chose"),
        pytest.param(["last.ckpt", "final.ckpt"], "final.ckpt", id="no validation"),
        pytest.param(["last.ckpt", "epoch=9.ckpt", "epoch=10.ckpt"], "epoch=10.ckpt", id="the user's own names"),
        pytest.param(["last.ckpt", "last-step=4.ckpt"], "last.ckpt", id="nothing but the last"),
        pytest.param(["last.ckpt", "scaled-0.7.ckpt"], "last.ckpt", id="a scaled one is made of another"),
        pytest.param(["scaled-0.7.ckpt"], "scaled-0.7.ckpt", id="or all there is"),
        pytest.param([], None, id="none"),
    ],
)
def test_the_checkpoint_that_counts(tmp_path: Path, names: Sequence[str], chosen: str | None) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in names:
        (tmp_path / "checkpoints" / name).touch()
    found = chosen_checkpoint(tmp_path)
    assert (None if found is None else found.name) == chosen
    assert found is None or run_folder_of(found) == tmp_path


def test_a_checkpoint_beside_the_config_counts_too(tmp_path: Path) -> None:
    (tmp_path / "classifier.ckpt").touch()
    assert chosen_checkpoint(tmp_path) == tmp_path / "classifier.ckpt"
    assert run_folder_of(tmp_path / "classifier.ckpt") == tmp_path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [", "is no config", id="no YAML"),
        pytest.param("- a", "holds a list", id="a list"),
        pytest.param("a: &a [*a]", "stands for more than 100,000 values", id="refers to itself"),
        pytest.param(
            "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]),
            "stands for more than 100,000 values",
            id="doubles and doubles",
        ),
        pytest.param("[" * 100_000, "is no config", id="too deep"),
        pytest.param("a: 2026-13-45", "is no config", id="no date"),
    ],
)
def test_a_damaged_config_is_named(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"config\.yaml {problem}"):
        read_config(tmp_path)


def test_a_config_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"config\.yaml is no config"):
        read_config(tmp_path)


def test_curves_are_means_of_an_epoch_and_what_is_no_number_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,train/loss,val/top1,lr\n0,1,,9\n0,3,,\n1,oops,0.5,\n,7,,\nx,1,1,1\n")
    assert read_curves(tmp_path) == {"train/loss": [(0.0, 2.0)], "val/top1": [(1.0, 0.5)]}


def test_curves_that_are_no_table_are_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(b"epoch\n\x81\n")
    with pytest.raises(DataError, match=r"metrics\.csv cannot be read"):
        read_curves(tmp_path)


def test_predictions_of_a_later_command_are_found_by_the_checkpoint_that_it_used(tmp_path: Path) -> None:
    run, other, stranger = (tmp_path / name for name in ("version_0", "version_1", "version_2"))
    for folder, used in ((other, run / "checkpoints" / "best.ckpt"), (stranger, tmp_path / "elsewhere.ckpt")):
        (folder / "predictions").mkdir(parents=True)
        (folder / "predictions" / "frames.csv").touch()
        (folder / "config.yaml").write_text(f"ckpt_path: {used}\n")
    assert predictions_of(run) == other / "predictions"
    (tmp_path / "version_3").mkdir()
    (tmp_path / "version_3" / "config.yaml").write_text("a: [")
    (tmp_path / "version_3" / "predictions").mkdir()
    (tmp_path / "version_3" / "predictions" / "frames.csv").touch()
    assert predictions_of(run) == other / "predictions", "a neighbor's damaged config is not this run's"
