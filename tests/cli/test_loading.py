"""Configs: values of the environment, and texts that stand for too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.cli.loading import load
from gad_lightning.errors import SettingError
from tests.cli.runs import CONFIG


def test_constants_and_the_environment_can_be_used_in_a_config(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_RUNS", str(tmp_path / "elsewhere"))
    (tmp_path / "gad.yaml").write_text(CONFIG.replace("max_epochs: 2", 'default_root_dir: "${oc.env:MY_RUNS}"'))
    with pytest.raises(SystemExit, match="0"):
        main(["fit", config, "--print_config"])
    assert f"default_root_dir: {tmp_path}/elsewhere" in capsys.readouterr().out


def bomb(levels: int, merge: bool) -> str:
    """A short text of YAML that stands for ten to the power of its levels values."""
    lines = ["a0: &a0 {x: 1}" if merge else "a0: &a0 [1]"]
    for level in range(1, levels + 1):
        parts = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} {{<<: [{parts}]}}" if merge else f"a{level}: &a{level} [{parts}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [bomb(9, merge=False), bomb(9, merge=True), "a: &a [*a]", "[" * 5000 + "]" * 5000, "x" * 10_000_001],
    ids=["lists", "merged mappings", "inside itself", "nested", "long"],
)
def test_a_text_that_stands_for_too_much_is_refused_at_once(text: str) -> None:
    with pytest.raises(SettingError, match=r"stands for more than 100,000 values|10,000,000 are read"):
        load(text)


def test_references_of_a_config_are_followed() -> None:
    assert load("a: &a {lr: 0.1}\nb: {<<: *a, c: 1}") == {"a": {"lr": 0.1}, "b": {"lr": 0.1, "c": 1}}
    assert load("a: 3\nb: ${a}") == {"a": 3, "b": 3}


@pytest.mark.parametrize("text", ["a: ${oc.env:GAD_NOT_SET}", "a: {b: ['x ${oc.env:GAD_NOT_SET} y']}"])
def test_a_variable_that_is_not_set_is_named(text: str) -> None:
    with pytest.raises(SettingError, match=r"^The config names the environment variable GAD_NOT_SET, which is not set"):
        load(text)


@pytest.mark.parametrize("text", ["a: ${b}", "a: ${oc.nope:1}", "a: ${a", "a: ${a}"])
def test_what_stands_for_nothing_is_told(text: str) -> None:
    with pytest.raises(SettingError, match="stands for nothing"):
        load(text)


def test_null_on_the_command_line_is_null(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["fit", config, "--model.backbone.lora=null", "--print_config"])
    assert "lora: null" in capsys.readouterr().out


def test_callbacks_whose_defaults_are_members_of_enumerations_are_configured(config: str, tmp_path: Path) -> None:
    timer = ["--trainer.callbacks=Timer", "--trainer.callbacks.duration=00:01:00:00"]
    main(["fit", config, *timer, "--trainer.max_steps=1", "--trainer.limit_val_batches=0"])
    kept = next((tmp_path / "runs").rglob("config.yaml")).read_text()
    assert "interval: step" in kept
