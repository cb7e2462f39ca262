"""What the README says can be done: its commands exist, its program runs, its figures are those of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import gad_lightning
from gad_lightning.cli import RUNS
from gad_lightning.cli.tools import find_tools
from gad_lightning.tools.demo import markdown_of

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
FIRST_SCREEN = 45  # lines


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Words of every command line of a program, in blocks and in the text."""
    lines = [line.split("#")[0] for block in blocks("bash") for line in block.splitlines()]
    lines += re.findall(rf"`({program} [^`]+)`", README)
    return [line.split() for line in lines if line.startswith(f"{program} ")]


def test_the_first_screen_says_what_it_is_how_to_run_it_and_what_comes_out() -> None:
    first = "\n".join(README.splitlines()[:FIRST_SCREEN])
    assert "make demo" in first
    assert "make test" in first
    assert "| classifier |" in first
    assert "docs/demo.png" in first


def test_the_demos_table_is_that_of_the_run_in_docs() -> None:
    assert markdown_of(json.loads((ROOT / "docs" / "demo.json").read_text())) in README


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "demo.png").stat().st_size < 300_000


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_make_has_the_target(words: list[str]) -> None:
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("words", [*commands("gad-lightning"), *commands("lightning")], ids=" ".join)
def test_the_command_exists(words: list[str]) -> None:
    assert words[1] in (*RUNS, *(name.replace("_", "-") for name in find_tools()), "--help", "COMMAND", "MY_TOOL")
    for word in words:
        if word.startswith("experiments/"):
            assert (ROOT / word).is_file()


def test_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102  # our own text


def test_the_config_names_classes_that_exist() -> None:
    (config,) = blocks("yaml")
    assert list(yaml.safe_load(config)) == ["model", "data", "trainer"]
    for name in re.findall(r"gad_lightning\.(\w+)", config):
        assert name in gad_lightning.__all__


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_classes_that_parts_derive_from_are_public() -> None:
    table = README.split("## To add one more")[1]
    assert table.count("](docs/howto/own-") == 10  # two of which have no config line
    for name in re.findall(r"^\|[^|`]*\| `(\w+)` \|", table, flags=re.MULTILINE):
        assert name in gad_lightning.__all__
