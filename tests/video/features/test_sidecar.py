"""``features.json`` says how features were made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.schema import FeatureSpec
from gad_lightning.video.features.sidecar import SIDECAR, read_sidecar, read_stated, write_sidecar

SPEC = FeatureSpec("küche", 4.0, 6, 2)


def test_what_is_written_is_read_in_every_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sidecar(tmp_path, SPEC, note="für alle")
    (tmp_path / SIDECAR).write_text(
        json.dumps(json.loads((tmp_path / SIDECAR).read_text(encoding="utf-8")), ensure_ascii=False), encoding="utf-8"
    )
    monkeypatch.setattr("locale.getpreferredencoding", lambda *_: "ascii")
    assert read_sidecar(tmp_path) == SPEC
    assert (read_stated(tmp_path) or {})["note"] == "für alle"


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_sidecar(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "has no proper 'encoder'"),
        ('{"encoder": 3}', "'encoder': 3"),
        ('{"encoder": "x", "fps": NaN}', "has no proper 'fps': nan"),
        ('{"encoder": "x", "fps": 4, "width": -1}', "has no proper 'width': -1"),
        ('{"encoder": "x", "fps": 4, "width": true}', "has no proper 'width': True"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / SIDECAR).write_text(text)
    with pytest.raises(DataError, match=rf"(?s){SIDECAR} {why}|{SIDECAR} .*{why}"):
        read_sidecar(tmp_path)
