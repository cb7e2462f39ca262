"""Weights from a hub that runs on this machine, read with the real client in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.weights.hub import snapshot
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import schema_of
from tests.backbones.folders import llama_folder
from tests.backbones.small_hub import COMMIT, GATED, Hub, small_hub
from tests.classifiers.making import make

FETCH = "import sys; from gad_lightning.backbones.weights.hub import snapshot; print(snapshot(*sys.argv[1:]))"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with a Llama, a gated model and one that holds nothing but a pickle and code."""
    root = tmp_path / "hub"
    llama_folder(root / "someone" / "llama")
    (root / GATED).mkdir(parents=True)
    (root / GATED / "config.json").write_text("{}")
    (root / "someone" / "llama" / "modeling.py").write_text("raise SystemError")
    (root / "someone" / "llama" / "pytorch_model.bin").write_bytes(b"pickle")
    with small_hub(root) as running:
        yield running


def start(code: str, hub: Hub, cache: Path, *args: str, **settings: str) -> subprocess.Popen[str]:
    """Start a process that knows no hub but this one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**kept, "HF_ENDPOINT": hub.address, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", **settings}
    command = [sys.executable, "-c", code, *args]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for a process; its last line and what it complained about."""
    out, err = process.communicate(timeout=120)
    return (out.strip().splitlines() or [""])[-1], err


def test_several_processes_download_once_and_only_plain_data(hub: Hub, tmp_path: Path) -> None:
    processes = [start(FETCH, hub, tmp_path / "cache", "someone/llama") for _ in range(3)]
    found = {finish(process) for process in processes}
    folders = {Path(line) for line, _ in found}
    assert len(folders) == 1, found
    folder = folders.pop()
    assert folder.name == COMMIT
    assert hub.asked["model.safetensors"] == 1
    assert not {"modeling.py", "pytorch_model.bin"} & {path.name for path in folder.iterdir()}
    hub.asked.clear()
    assert finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))[0] == str(folder)
    assert not hub.asked


def test_offline_uses_the_cache_and_says_what_is_missing(hub: Hub, tmp_path: Path) -> None:
    fetched, _ = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))
    line, _ = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama", HF_HUB_OFFLINE="1"))
    assert line == fetched
    _, error = finish(start(FETCH, hub, tmp_path / "other", "someone/llama", HF_HUB_OFFLINE="1"))
    assert "someone/llama is not in the cache" in error
    assert "gad-lightning fetch --config" in error


def test_a_half_downloaded_model_is_completed(hub: Hub, tmp_path: Path) -> None:
    fetched, _ = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))
    (Path(fetched) / "model.safetensors").unlink()
    line, _ = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))
    assert (Path(line) / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([GATED], "accept it at {page}/meta-llama/gated, then log in with `hf auth login`"),
        (["someone/nothing"], "There is no model 'someone/nothing', or it is private"),
        (["someone/llama", "v9"], "someone/llama has no revision 'v9'"),
        (["some one/llama"], "'some one/llama' is no name of a model"),
    ],
    ids=["gated", "missing", "revision", "name"],
)
def test_what_cannot_be_had_is_explained(asked: list[str], message: str, hub: Hub, tmp_path: Path) -> None:
    _, error = finish(start(FETCH, hub, tmp_path / "cache", *asked))
    assert message.format(page=hub.address) in error
    assert "To fix it: " in error


def test_an_address_where_nobody_answers_is_no_riddle(hub: Hub, tmp_path: Path) -> None:
    _, error = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama", HF_ENDPOINT="http://127.0.0.1:9"))
    assert "someone/llama could not be downloaded" in error


def test_a_broken_connection_is_explained_and_can_be_taken_up_again(hub: Hub, tmp_path: Path) -> None:
    hub.cut = True
    _, error = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))
    assert "someone/llama could not be downloaded" in error
    hub.cut = False
    line, _ = finish(start(FETCH, hub, tmp_path / "cache", "someone/llama"))
    assert (Path(line) / "model.safetensors").is_file()


def test_the_commit_is_recorded_whatever_branch_was_asked_for(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "models--someone--llama" / "snapshots" / COMMIT)
    made = make(DiscriminativeClassifier, backbone=CausalLM(str(folder), lora={"r": 2}))
    assert made.spec()["init_args"]["backbone"]["init_args"]["revision"] == COMMIT


def test_a_missing_folder_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="There is no folder"):
        snapshot(str(tmp_path / "none"))


def test_code_of_a_repository_never_runs(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "llama")
    (folder / "modeling_trap.py").write_text("raise SystemError('code ran')")
    config = (folder / "config.json").read_text()
    mapped = '"auto_map": {"AutoModelForCausalLM": "modeling_trap.Trap", "AutoConfig": "modeling_trap.Trap"},'
    (folder / "config.json").write_text(
        config.replace("{", "{" + mapped, 1).replace('"model_type": "llama"', '"model_type": "trap"')
    )
    with pytest.raises(SettingError, match="cannot be used as a language model"):
        CausalLM(str(folder)).prepare(schema_of(["a", "b"]), [])


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "llama")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"weights in .* are damaged"):
        CausalLM(str(folder)).prepare(schema_of(["a", "b"]), [])


def test_weights_that_a_folder_lacks_are_refused_by_name(tmp_path: Path) -> None:
    import transformers

    folder = llama_folder(tmp_path / "base", tied=False)
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=3)
    transformers.LlamaForSequenceClassification(config).save_pretrained(tmp_path / "classifier")
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "classifier")
    with pytest.raises(DataError, match=r"lacks 1 of the weights of a LlamaForCausalLM, first 'lm_head.weight'"):
        make(GADClassifier, backbone=CausalLM(str(tmp_path / "classifier")))
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.down_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"first 'model.layers.1.mlp.down_proj.weight': they would be random"):
        make(GADClassifier, backbone=CausalLM(str(folder)))


def test_weights_of_other_shapes_than_the_config_says_are_refused(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 80}))
    with pytest.raises(DataError, match="do not fit its config"):
        make(GADClassifier, backbone=CausalLM(str(folder)))


@pytest.mark.parametrize("with_base", [False, True])
def test_an_adapter_is_no_base(with_base: bool, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = llama_folder(tmp_path / "base")
    adapter = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), LoraConfig(r=3, target_modules=["q_proj"]))
    target = folder if with_base else tmp_path / "adapter"
    adapter.save_pretrained(target)
    with pytest.raises(SettingError, match=r"holds a LoRA adapter .*\n.*merge_and_unload"):
        make(GADClassifier, backbone=CausalLM(str(target)))
