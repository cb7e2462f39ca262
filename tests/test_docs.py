"""What the pages say can be done: their programs run, their configs and commands parse, their links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from docs._ext import api, commands, docstrings, errors, house, settings

import gad_lightning
from gad_lightning.cli import RUNS, main
from gad_lightning.cli.tools import find_tools, tool_module

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
MADE = ("reference", "tutorials")
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] not in MADE)
SKIPPED = "# needs "
SLOW = ("export",)
"""Pages whose programs take more than some seconds."""
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS).with_suffix("")))


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def pages_with(language: str) -> pytest.MarkDecorator:
    """One test for each page that has such a block."""
    found = [page for page in PAGES if blocks(page, language)]
    return pytest.mark.parametrize(
        "page", [pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.stem in SLOW)) for page in found]
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, whose modules are found and forgotten again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("my_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def save_files(page: Path, folder: Path) -> None:
    """Save the blocks of a page that begin with a comment of nothing but a file's name."""
    for language in ("python", "yaml"):
        for block in blocks(page, language):
            named = re.match(r"# ([\w.]+\.(?:py|yaml))\n", block)
            if named:
                (folder / named[1]).write_text(block, encoding="utf-8")


@pages_with("python")
def test_the_programs_of_a_page_run(page: Path, folder: Path) -> None:
    save_files(page, folder)
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page, "python"):
        if not block.startswith(SKIPPED):
            exec(compile(block, str(page), "exec"), names)  # noqa: S102  # our own text


@pages_with("yaml")
def test_the_configs_of_a_page_make_a_run(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_files(page, folder)
    for block in blocks(page, "yaml"):
        (folder / "config.yaml").write_text(block, encoding="utf-8")
        with pytest.raises(SystemExit) as left:
            main(["fit", "--config=config.yaml", "--print_config"])
        assert left.value.code == 0
        assert list(yaml.safe_load(block)) == ["model", "data", "trainer"]
        assert "class_path" in capsys.readouterr().out


def command_lines(page: Path) -> list[str]:
    """Command lines of a page, in blocks and in the text."""
    lines = [line.split(" #")[0] for block in blocks(page, "bash") for line in block.splitlines()]
    lines += re.findall(r"`(gad-lightning [a-z][^`]* [^`]+)`", page.read_text(encoding="utf-8"))
    return [line.strip() for line in lines if line.startswith(("gad-lightning ", "make "))]


@pytest.mark.parametrize("page", [page for page in PAGES if command_lines(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_parse(page: Path, folder: Path) -> None:
    save_files(page, folder)
    configs = sorted(folder.glob("*.yaml"))
    for line in command_lines(page):
        program, name, *words = shlex.split(line)
        if program == "make":
            assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), line
        elif name in RUNS:
            check_run(name, words, configs)
        elif not name.startswith("-") and name != "COMMAND":
            check_tool(name, words, configs)


def check_run(name: str, words: list[str], configs: list[Path]) -> None:
    """Let the parser of runs read a command; a config that a page does not show is any run's."""
    there = [word for word in words if Path(word).is_file()]
    if not there and configs:
        words = [str(configs[0]) if word.endswith(".yaml") or word == "CONFIG" else word for word in words]
    elif not there:
        words = [*(word for word in words if word != "--config" and not word.endswith((".yaml", "CONFIG")))]
        words += ["--model=gad_lightning.GADClassifier", "--model.backbone=gad_lightning.TinyBackbone"]
        words += ["--data=gad_lightning.ToyActions"]
    commands.run_parser().parse_args([name, *words])


def check_tool(name: str, words: list[str], configs: list[Path]) -> None:
    """See that a tool and all its options exist, and that every option has a value."""
    assert name.replace("-", "_") in find_tools(), name
    main_of_tool: Callable[..., None] = tool_module(name.replace("-", "_")).main
    arguments = [*docstrings.arguments_of(main_of_tool, main_of_tool.__doc__), *commands.further(main_of_tool)]
    known = {argument.name for argument in arguments} | {"config", "help"}
    for word, after in zip(words, [*words[1:], "--"], strict=False):
        if word.startswith("--"):
            assert re.split(r"[.=]", word[2:])[0] in known, word
            assert "=" in word or word == "--help" or not after.startswith("--"), f"{word} has no value"


@every_page
def test_links_and_names_of_a_page_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    made = {
        f"/reference/{name}" for name in ("api", "commands", "settings", "errors", "house", "changes", "contributing")
    }
    made |= {
        f"/reference/measured/{name}"
        for name in (
            "experiments",
            "claims",
            "dials",
            "open_world",
            "decisions",
            "structure",
            "forgetting",
            "contexts",
            "cluster",
        )
    }
    made |= {f"/tutorials/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", text):
        path = DOCS / target.lstrip("/") if target.startswith("/") else page.parent / target
        name = f"/{path.resolve().relative_to(DOCS)}"
        assert name in made or path.with_suffix(".md").is_file(), target
    for name in re.findall(r"gad_lightning\.([A-Z]\w+)", text):
        assert name in gad_lightning.__all__, name


def test_every_page_says_the_short_names_only() -> None:
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            deep = re.search(r"from gad_lightning\.(?!metrics\.functional)\w+.* import", line)
            assert deep is None or "#" in line, f"{page}: {line}"


def test_no_page_names_a_document_that_readers_do_not_have() -> None:
    for page in PAGES:
        assert not re.search(r"PROTOCOL|ARCHITECTURE|FACTS|SUGAR", page.read_text(encoding="utf-8")), page


def test_the_page_of_errors_has_every_error_with_its_remedy() -> None:
    found = list(errors.all_errors())
    assert len(found) > 200
    assert all(error.remedy.strip(".") for error in found)
    text = errors.page()
    assert "To fix it" in text
    assert "The LoRA is merged into the weights." in text


def test_the_errors_that_are_explained_exist() -> None:
    messages = [error.message for error in errors.all_errors()]
    text = (DOCS / "howto" / "troubleshooting.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\*\*(.+)\*\*\n: ", text, flags=re.MULTILINE)
    assert len(explained) > 15
    for heading in explained:
        pattern = ".*".join(re.escape(part.strip()) for part in heading.split("..."))
        assert any(re.search(pattern, message) for message in messages), heading


def test_the_plan_of_the_house_has_every_room() -> None:
    text = house.page()
    for room in (path.parent.name for path in (ROOT / "src" / "gad_lightning").glob("*/__init__.py")):
        assert f"## {room}\n" in text


def test_the_settings_have_a_meaning_each() -> None:
    for cls in settings.public_classes():
        for argument in settings.all_arguments(cls) if issubclass(cls, gad_lightning.Part) else ():
            assert argument.meaning or argument.name in settings.GIVEN, f"{cls.__name__}.{argument.name}"


def test_the_api_shows_of_a_data_set_what_a_user_calls_or_overrides() -> None:
    page = api.pages()["api/data"]
    for name in ("OwnVideos", "COIN"):
        assert f".. autoclass:: gad_lightning.{name}\n   :no-members:\n" in page
    assert "gad_lightning.ActionDataModule\n   :members: background, ignored, class_names, goals, records," in page
    for name, members in api.MEMBERS.items():
        shown = getattr(gad_lightning, name)
        known = {word for cls in shown.__mro__ for word in (*vars(cls), *vars(cls).get("__annotations__", ()))}
        assert set(members.split(", ")) - {"tell", "report"} <= known, name
    assert set(api.NOTHING) <= set(gad_lightning.__all__)


def test_the_page_of_commands_has_every_command_and_its_options() -> None:
    text = commands.page()
    for name in (*RUNS, *(tool.replace("_", "-") for tool in find_tools())):
        assert f"## {name}\n" in text
    for option in ("--init_from", "--ckpt_path", "--every_frame", "--retries", "--seeds"):
        assert option in text


def test_the_citation_names_paper_and_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == gad_lightning.__version__
    assert "Discriminative vs. Generative" in json.dumps(cited["references"])


def test_workflows_run_what_is_run_here() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
    assert set(texts) == {"ci", "pages", "release"}
    for text in texts.values():
        assert yaml.safe_load(text)["jobs"]
    assert ".ci/run" in texts["ci"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make docs" in texts["pages"]
    assert "tags" in texts["release"]
