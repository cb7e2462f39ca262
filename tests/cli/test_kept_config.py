"""The config that a run keeps: without secrets, and never that of another run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gad_lightning.cli import main
from gad_lightning.errors import SettingError


def test_a_run_never_overwrites_the_config_of_another(config: str) -> None:
    main(["fit", config, "--trainer.logger=false"])
    with pytest.raises(SettingError, match=r"runs already has the config\.yaml of another run"):
        main(["fit", config, "--trainer.logger=false"])


def test_secrets_are_kept_nowhere_and_the_run_works_again(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gad.yaml"
    question = (
        'prompt: {class_path: gad_lightning.Prompt, init_args: {question: "${oc.env:MY_TOKEN} ok?"}}\n    context'
    )
    path.write_text(path.read_text().replace("context", question, 1) + "ckpt_path: null\n")
    monkeypatch.setenv("MY_TOKEN", "hf_SECRETSECRET")
    main(["fit", config, "--trainer.max_epochs=1"])
    run = tmp_path / "runs" / "ToyActions" / "GADClassifier" / "version_0"
    best = f"--ckpt_path={run}/checkpoints/best.ckpt"
    main(["predict", f"--config={run}/config.yaml", best])
    main(["report", str(run), f"--output={tmp_path}/report.html"])
    assert "${oc.env:MY_TOKEN} ok?" in (run / "config.yaml").read_text()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert (tmp_path / "report.html") in files
    assert not [path for path in files if b"SECRETSECRET" in path.read_bytes()]
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(SettingError, match="names the environment variable MY_TOKEN, which is not set"):
        main(["test", f"--config={run}/config.yaml", best])


LOGGER = """
from lightning.pytorch.loggers.logger import DummyLogger

class Service(DummyLogger):
    def __init__(self, api_key: str, url: str):
        super().__init__()
        assert api_key == "k-123456789"
"""


def test_a_secret_in_clear_is_hidden_by_its_name(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_service.py").write_text(LOGGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = "{api_key: k-123456789, url: 'https://me:pass123@host/x'}"
    path = tmp_path / "gad.yaml"
    logger = f"logger: {{class_path: my_service.Service, init_args: {arguments}}}"
    path.write_text(path.read_text().replace("trainer: {", f"trainer: {{{logger}, "))
    main(["fit", config, "--trainer.max_epochs=1"])
    (kept,) = tmp_path.rglob("config.yaml")
    assert "api_key: '***'" in kept.read_text()
    assert "k-123456789" not in kept.read_text()
    assert "pass123" not in kept.read_text()
    assert os.stat(kept).st_mode & 0o777 == 0o644
