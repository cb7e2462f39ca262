"""The command ``index``: of a run that was trained, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import MissingDataError
from gad_lightning.retrieval.moment_index import MomentIndex
from gad_lightning.tools.index import main
from tests.tools.searching import trained_run


def test_every_segment_and_second_of_a_split_is_indexed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained_run(tmp_path)
    main(run, split="val")
    found = MomentIndex(run / "index")
    assert f"{run / 'index'} holds {found.segments} segments and " in capsys.readouterr().out
    assert found.facts.space == "states"
    assert found.facts.classifier == "DiscriminativeClassifier"
    assert set(found.moments["video"].tolist()) == set(range(len(found.facts.videos)))
    seconds = found.moments[found.segments :]
    assert (seconds["end"] - seconds["start"]).max() <= 1.0
    first = seconds[seconds["video"] == 0]
    assert first["start"].tolist() == list(range(len(first)))


def test_a_folder_without_a_checkpoint_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"has no checkpoint to index with[^!]*give the folder of a run"):
        main(tmp_path)
