"""The data of a run, made from its config."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.parts import ALLOWED_PACKAGES
from gad_lightning.tools.run_data import data_of


def test_it_has_the_settings_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "data:\n  class_path: gad_lightning.ToyActions\n  init_args: {num_videos: 12}\n"
    )
    data = data_of(tmp_path, ALLOWED_PACKAGES)
    assert isinstance(data, ToyActions)
    assert data.num_videos == 12


def test_a_run_without_a_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"has no config\.yaml"):
        data_of(tmp_path, ALLOWED_PACKAGES)


def test_a_class_of_another_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {class_path: subprocess.Popen}\n")
    with pytest.raises(SettingError, match=r"names subprocess\.Popen"):
        data_of(tmp_path, ALLOWED_PACKAGES)
