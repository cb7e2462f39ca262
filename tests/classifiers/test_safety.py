"""Files from others are data: whatever they hold, nothing in them runs and nothing outside the allowed is imported."""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError, DataError, GadError, MissingDataError, SettingError
from gad_lightning.rebuilding import find_class
from gad_lightning.training.checkpoint_files import read_checkpoint
from tests.classifiers.making import make

ROOT = Path(__file__).resolve().parents[2]


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (exec, (f"open({str(self.mark)!r}, 'w')",))


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A file that must not be there at the end."""
    path = tmp_path / "code-ran"
    yield path
    assert not path.exists()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The test's folder behind a URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def content() -> dict[str, Any]:
    """Of a checkpoint that is all right."""
    found: dict[str, Any] = {"pytorch-lightning_version": "2.6.6", "epoch": 0, "global_step": 0}
    make(GADClassifier).on_save_checkpoint(found)
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gad_lightning": {"format": "2"}}, "its format is no int"),
        ({"gad_lightning": {"format": 99}}, "has format 99; this version reads up to"),
        ({"gad_lightning": {"spec": [1]}}, "its spec is no dict"),
        ({"gad_lightning": {"schema": None}}, "its schema is no dict"),
        ({"gad_lightning": 3}, "its format is no int"),
        ({"state_dict": None}, "not one of tensors"),
    ],
)
def test_a_checkpoint_of_another_form_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    changed = content()
    for name, value in changes.items():
        changed[name] = {**changed[name], **value} if isinstance(value, dict) else value
    torch.save(changed, tmp_path / "x.ckpt")
    for load in (GADClassifier.load_from_checkpoint, make(GADClassifier).init_from):
        with pytest.raises(CheckpointError, match=message):
            load(tmp_path / "x.ckpt")


def test_a_checkpoint_without_weights_is_refused(tmp_path: Path) -> None:
    changed = content()
    del changed["state_dict"]
    torch.save(changed, tmp_path / "x.ckpt")
    for load in (GADClassifier.load_from_checkpoint, make(GADClassifier).init_from):
        with pytest.raises(CheckpointError, match="holds no weights"):
            load(tmp_path / "x.ckpt")


def test_a_small_file_never_makes_a_large_model(tmp_path: Path) -> None:
    changed = content()
    backbone = changed["gad_lightning"]["spec"]["init_args"]["backbone"]["init_args"]
    for size in ({"hidden_size": 30_000}, {"num_layers": 10**7}, {"lora": {"r": 10**8}}):
        before = dict(backbone)
        backbone.update(size)
        torch.save(changed, tmp_path / "x.ckpt")
        with pytest.raises(SettingError, match=r"would have [\d,]+ weights; 250,000,000 are the most"):
            GADClassifier.load_from_checkpoint(tmp_path / "x.ckpt")
        backbone.clear()
        backbone.update(before)


@pytest.mark.parametrize("where", ["beside", "gad_lightning", "state_dict", "hyper_parameters"])
def test_a_pickle_anywhere_in_a_checkpoint_is_refused(where: str, mark: Path, tmp_path: Path) -> None:
    poisoned = content()
    if where == "beside":
        poisoned["note"] = Trap(mark)
    else:
        poisoned.setdefault(where, {})["note"] = Trap(mark)
    torch.save(poisoned, tmp_path / "x.ckpt")
    for load in (GADClassifier.load_from_checkpoint, make(GADClassifier).init_from):
        with pytest.raises(CheckpointError, match="could run code"):
            load(tmp_path / "x.ckpt")


def test_a_checkpoint_is_read_from_a_url(tmp_path: Path, address: str) -> None:
    for step, folder in enumerate((tmp_path / "a", tmp_path / "b")):  # of one name, and not mixed up
        folder.mkdir()
        torch.save(content() | {"global_step": step}, folder / "x.ckpt")
        assert read_checkpoint(f"{address}/{folder.name}/x.ckpt")["global_step"] == step
    expected = Classifier.load_from_checkpoint(tmp_path / "b/x.ckpt").trained_state()
    found = Classifier.load_from_checkpoint(f"{address}/b/x.ckpt").trained_state()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
    assert make(GADClassifier).init_from(f"{address}/b/x.ckpt").weights == len(expected)


@pytest.mark.parametrize("path", ["http://u:s3cret@127.0.0.1:9/x.ckpt", "http://127.0.0.1:9/x.ckpt?token=s3cret"])
def test_no_password_of_a_checkpoints_url_is_told(path: str) -> None:
    for load in (GADClassifier.load_from_checkpoint, make(GADClassifier).init_from):
        with pytest.raises(GadError, match=r"127\.0\.0\.1:9/x\.ckpt") as caught:
            load(path)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(MissingDataError, match=r"127\.0\.0\.1:9/x\.ckpt") as missing:
        GADClassifier.load_from_checkpoint(Path(path))
    assert "s3cret" not in str(missing.value)


def test_old_formats_get_no_second_chance(mark: Path, tmp_path: Path) -> None:
    torch.save({"note": Trap(mark)}, tmp_path / "x.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        GADClassifier.load_from_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize("what", ["fit", "test", "predict"])
def test_lightning_runs_nothing_in_a_checkpoint_from_a_url(what: str, mark: Path, tmp_path: Path, address: str) -> None:
    torch.save(content() | {"note": Trap(mark)}, tmp_path / "x.ckpt")
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_steps=1)
    data = ToyActions()
    classifier = GADClassifier(backbone=TinyBackbone(hidden_size=16), schema=data.schema)
    with pytest.raises(CheckpointError, match="could run code"):
        getattr(trainer, what)(classifier, data, ckpt_path=f"{address}/x.ckpt")


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "builtins.exec",
        "torch.hub.load",
        "gad_lightning.classifiers.base.torch",
        "gad_lightning.parts.Path",
    ],
)
def test_a_spec_names_parts_of_allowed_packages_only(path: str) -> None:
    with pytest.raises(CheckpointError, match="The checkpoint names"):
        find_class(path)


def test_even_with_the_users_word_only_parts_are_called() -> None:
    with pytest.raises(CheckpointError, match="which is no part"):
        find_class("subprocess.Popen", allowed=("subprocess",))


@pytest.mark.parametrize("place", [("init_args", "backbone"), ("init_args", "prompt"), ("init_args", "head")])
def test_a_foreign_class_is_refused_wherever_it_stands(place: tuple[str, ...], tmp_path: Path) -> None:
    poisoned = content()
    at = poisoned["gad_lightning"]["spec"]
    for name in place[:-1]:
        at = at[name]
    bad = {"class_path": "pathlib.Path.home", "init_args": {}}
    at[place[-1]] = {"factory": bad} if place[-1] == "head" else bad
    torch.save(poisoned, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=r"names pathlib\.Path\.home, and only classes of gad_lightning"):
        Classifier.load_from_checkpoint(tmp_path / "x.ckpt")


def test_a_damaged_description_is_an_error_that_says_so(tmp_path: Path) -> None:
    folder = make(GADClassifier).save_pretrained(tmp_path)
    about = json.loads((folder / "gad_lightning.json").read_text())
    for broken in ({**about, "adapter": 3}, {**about, "adapter": {"x": "y"}}):
        (folder / "gad_lightning.json").write_text(json.dumps(broken))
        with pytest.raises(GadError):
            GADClassifier.from_pretrained(folder)


def test_arrays_of_objects_are_refused(mark: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([Trap(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(DataError):
        make(GADClassifier).detect(tmp_path / "x.npy")


def test_the_library_nowhere_reads_pickles_or_lets_a_repository_run_code() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
    for path, text in sources.items():
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, f"{path}: {call}"
        for forbidden in (
            "weights_only=False",
            "allow_pickle=True",
            "trust_remote_code=True",
            "pickle.load",
            "yaml.load(",
        ):
            assert forbidden not in text, f"{path}: {forbidden}"
