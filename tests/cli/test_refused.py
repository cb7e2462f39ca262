"""A setting that the parser refuses is told in one line: its name, the value met, and what may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.cli.refused import _in_short

IN_CONFIG = [
    ("data.init_args", "chunks: 8", "data.chunks is no setting of ToyActions (given: '8'). Did you mean data.chunk?"),
    ("data.init_args", "chunk: many", "data.chunk is 'many': a whole number is accepted."),
    ("data.init_args", "mode: onepass", "data.mode is 'onepass': window or one_pass is accepted."),
    ("trainer", "max_epoch: 3", "trainer.max_epoch is no setting. Did you mean trainer.max_epochs?"),
]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--data.chunks=8", "data.chunks is no setting of ToyActions (given: '8'). Did you mean data.chunk?"),
        ("--data.stride=many", "data.stride is 'many': a whole number or null is accepted."),
        ("--model.objectives=many", "model.objectives is 'many': a list or null is accepted."),
        ("--dat.chunk=8", "dat.chunk is no setting. Did you mean data.chunk?"),
        (
            "--model.contexts=NoContext",
            "model.contexts is no setting of GADClassifier (given: 'NoContext'). Did you mean model.context?",
        ),
        (
            "--model.context=NoContex",
            "model.context is 'NoContex', which names no class that fits there. Did you mean NoContext?",
        ),
        (
            "--model.context=gad_lightning.LinearHead",
            "model.context is 'gad_lightning.LinearHead', which names no class that fits there. Such are AutoContext, "
            "GoalContext, JoinedContexts, NextActions, NoContext, PreviousActions, PublishedPreviousAction.",
        ),
        (
            "--model.context=my_contextz.HowLong",
            "model.context is 'my_contextz.HowLong', and there is no module 'my_contextz': start the command in the "
            "folder it lies in, or install its package.",
        ),
        (
            "--model.backbone.hiden_size=8",
            "model.backbone.hiden_size is no setting of TinyBackbone (given: '8'). Did you mean "
            "model.backbone.hidden_size?",
        ),
        (
            "--model.backbone=gad_lightning.TinyBackbon",
            "model.backbone is 'gad_lightning.TinyBackbon', which names no class that fits there. Did you mean "
            "TinyBackbone?",
        ),
        ("--model.optimizer.lr=fast", "model.optimizer.lr is 'fast': a number or a Tensor is accepted."),
        (
            "--model.optimizer.lrr=1",
            "model.optimizer.lrr is no setting of AdamW (given: '1'). Did you mean model.optimizer.lr?",
        ),
        (
            "--data.db_password=hunter2",
            "data.db_password is no setting of ToyActions (given: ***). Its settings are num_videos, ",
        ),
    ],
)
def test_an_option_is_named_with_what_may_be_meant(
    config: str, option: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["fit", config, option])
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"error: {told}")
    assert said[1:] == ["For all options: gad-lightning fit --help"]


@pytest.mark.parametrize(("part", "line", "told"), IN_CONFIG)
def test_so_is_a_line_of_a_config(
    config: str, part: str, line: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (tmp_path / "gad.yaml").read_text()
    inside = "num_videos: 4" if part == "data.init_args" else "accelerator: cpu"
    (tmp_path / "gad.yaml").write_text(text.replace(inside, f"{inside}, {line}"))
    with pytest.raises(SystemExit, match="2"):
        main(["fit", config])
    assert capsys.readouterr().err.startswith(f"error: {told}\n")


def test_tools_say_the_same(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check-data", config, "--data.chunks=8"])
    assert "data.chunks is no setting of ToyActions (given: '8'). Did you mean data.chunk?" in capsys.readouterr().err


def test_what_is_not_known_stays_as_it_is() -> None:
    assert _in_short("Key 'video' is required") == "Key 'video' is required"
