"""Values of the environment: used, never stored, and secret ones given to no stranger's checkpoint."""

from __future__ import annotations

import pytest

from gad_lightning.environment import as_written, from_environment, note, resolve, stored
from gad_lightning.errors import SettingError


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that are set, one of which is secret, and one that is not."""
    monkeypatch.setenv("GAD_ROOT", "/disk/of/videos")
    monkeypatch.setenv("GAD_PASSWORD", "hunter22")
    monkeypatch.delenv("GAD_UNSET", raising=False)


def test_what_a_config_wrote_is_stored_as_it_wrote_it() -> None:
    written = {"root": "${oc.env:GAD_ROOT}/train", "login": "me:${oc.env:GAD_PASSWORD}", "size": 3, "list": ["x"]}
    value = resolve(written, "The config")
    assert value == {"root": "/disk/of/videos/train", "login": "me:hunter22", "size": 3, "list": ["x"]}
    assert stored(value) == written
    assert as_written("a hunter22 inside other text") == "a ${oc.env:GAD_PASSWORD} inside other text"
    assert as_written("/disk/of/videos/val") == "/disk/of/videos/val"


def test_short_texts_are_not_mistaken_for_values_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAD_WHAT", "stir")
    note("${oc.env:GAD_WHAT}", "stir")
    assert as_written("stir") == "stir"


def test_defaults_and_missing_variables() -> None:
    assert resolve("${oc.env:GAD_UNSET,here}/x", "It") == "here/x"
    with pytest.raises(SettingError, match=r"^It names the environment variable GAD_UNSET, which is not set"):
        resolve(["${oc.env:GAD_UNSET}"], "It")


def test_a_checkpoint_gets_a_secret_only_where_a_config_named_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAD_OTHER_TOKEN", "abcdefgh")
    assert from_environment("${oc.env:GAD_ROOT}/x", "The checkpoint") == "/disk/of/videos/x"
    with pytest.raises(SettingError, match="GAD_OTHER_TOKEN, which may be a secret"):
        from_environment("https://evil/${oc.env:GAD_OTHER_TOKEN}", "The checkpoint")
    resolve({"token": "${oc.env:GAD_OTHER_TOKEN}"}, "The config")
    assert from_environment("${oc.env:GAD_OTHER_TOKEN}", "The checkpoint") == "abcdefgh"


def test_secrets_are_hidden_by_the_names_they_stand_under() -> None:
    assert stored({"db": {"password": "x", "user": "me"}, "secrets": ["a", "b"], "api-key": "", "n_token": 4}) == {
        "db": {"password": "***", "user": "me"},
        "secrets": ["***", "***"],
        "api-key": "",
        "n_token": 4,
    }


def test_secrets_are_hidden_by_their_look_and_usual_settings_are_kept() -> None:
    usual = {"dataset_key": "epic_kitchens_100", "monitor": "val/segment_f1", "class_names": ["cut", "pin the cloth"]}
    secret = {"headers": {"Authorization": "Bearer x"}, "args": ["token=x", "size=3"], "openaiKey": "a1b2c3d4e5f6"}
    assert stored({**usual, **secret, "note": "hf_AbCdEfGhIjKlMnOp"}) == {
        **usual,
        "headers": {"Authorization": "***"},
        "args": ["token=***", "size=3"],
        "openaiKey": "***",
        "note": "***",
    }
