"""The command that downloads a run's weights beforehand, with a hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.cli import main
from gad_lightning.errors import MissingDataError, SettingError
from tests.backbones.folders import llama_folder
from tests.backbones.small_hub import COMMIT, GATED, Hub, small_hub
from tests.backbones.test_hub import finish, start
from tests.classifiers.making import make

ROOT = Path(__file__).resolve().parents[2]
RUN = "import sys; from gad_lightning.cli import run; sys.argv = ['gad-lightning', *sys.argv[1:]]; run()"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a Llama and a gated model."""
    llama_folder(tmp_path / "hub" / "someone" / "llama")
    (tmp_path / "hub" / GATED).mkdir(parents=True)
    with small_hub(tmp_path / "hub") as running:
        yield running


def config(folder: Path, model: str, **backbone: object) -> Path:
    """A run's config."""
    arguments = {"language_model": model, "lora": {"r": 4}, **backbone}
    content = {
        "seed_everything": 1,
        "init_from": None,
        "model": {
            "class_path": "gad_lightning.GADClassifier",
            "init_args": {
                "context": "gad_lightning.PreviousActions",
                "backbone": {"class_path": "gad_lightning.CausalLM", "init_args": arguments},
            },
        },
        "data": {"class_path": "gad_lightning.ToyActions", "init_args": {"batch_size": 2}},
        "trainer": {"max_epochs": 1},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.slow  # three fresh processes
def test_fetched_weights_are_there_for_offline_runs(hub: Hub, tmp_path: Path) -> None:
    run, cache = config(tmp_path, "someone/llama"), tmp_path / "cache"
    line, error = finish(start(RUN, hub, cache, "fetch", f"--config={run}"))
    assert line.endswith(f"GB, revision {COMMIT}"), error
    assert hub.asked["model.safetensors"] == 1
    code = "import sys; from gad_lightning.backbones.weights.hub import snapshot; print(snapshot(sys.argv[1]))"
    folder, _ = finish(start(code, hub, cache, "someone/llama", HF_HUB_OFFLINE="1"))
    assert line.startswith(f"{folder}: ")
    _, error = finish(start(RUN, hub, cache, "fetch", f"--config={config(tmp_path, GATED)}"))
    assert f"MissingDataError: The weights of {GATED} are under a license" in error
    assert f"accept it at {hub.address}/{GATED}, then log in with `hf auth login`" in error
    assert "Traceback" not in error


@pytest.mark.slow  # a fresh process
def test_a_shared_classifier_to_begin_from_is_fetched_too(hub: Hub, tmp_path: Path) -> None:
    run, shared = config(tmp_path, "someone/llama"), tmp_path / "hub" / "someone" / "gad"
    make(GADClassifier).save_pretrained(shared)
    command = ("fetch", f"--config={run}", "--init_from=someone/gad")
    _, error = finish(start(RUN, hub, tmp_path / "cache", *command))
    assert hub.asked["gad_lightning.json"] == hub.asked["model.safetensors"] == 1, error


def test_a_folder_is_there_already(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = llama_folder(tmp_path / "llama")
    main(["fetch", f"--config={config(tmp_path, str(folder))}"])
    assert capsys.readouterr().out.startswith(f"{folder}: 0.00 GB")


def test_the_tiny_backbone_has_nothing_to_download(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fetch", f"--config={ROOT / 'experiments' / 'toy' / 'discriminative.yaml'}"])
    assert capsys.readouterr().out == "The config names nothing to download.\n"


def test_what_is_wrong_with_a_config_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="There is no model"):
        main(["fetch"])
    with pytest.raises(SettingError, match=r"CausalLM cannot be made: .*'lorax'"):
        main(["fetch", f"--config={config(tmp_path, 'x', lorax=1)}"])
    with pytest.raises(MissingDataError, match="There is no folder"):
        main(["fetch", f"--config={config(tmp_path, str(tmp_path / 'none'))}"])
    run = config(tmp_path, "x")
    run.write_text(run.read_text().replace("gad_lightning.CausalLM", "gad_lightning.CasualLM"))
    with pytest.raises(SettingError, match=r"names 'gad_lightning\.CasualLM', which is not there"):
        main(["fetch", f"--config={run}"])
