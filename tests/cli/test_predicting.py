"""``predict --output``: the same rows as without it, written as they come, and gone on with after a stop."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from gad_lightning.cli import main
from gad_lightning.errors import DataError, GadError, MissingDataError, SettingError
from gad_lightning.results.predictions import read_predictions
from tests.jobs.looking import files_of


def predict(fitted: Path, *options: str) -> None:
    """Predict with the checkpoint of a finished run."""
    main(["predict", f"--config={fitted}/config.yaml", f"--ckpt_path={fitted}/checkpoints/best.ckpt", *options])


@pytest.fixture
def unlabeled(tmp_path: Path) -> Path:
    """A folder of features of six videos, of which one is no array and one holds a NaN."""
    folder, numbers = tmp_path / "features", np.random.default_rng(0)
    folder.mkdir()
    for number in range(6):
        array = numbers.normal(size=(5 + number, 1, 12)).astype(np.float32)
        if number == 4:
            array[3] = np.nan
        np.save(folder / f"v{number}.npy", array)
    (folder / "v2.npy").write_bytes(b"no array")
    return folder


def test_the_joined_tables_are_those_of_predict_without_an_output(fitted: Path, tmp_path: Path) -> None:
    where = ["--data.predict_split=train", f"--trainer.default_root_dir={tmp_path}"]
    predict(fitted, *where)
    predict(fitted, *where, f"--output={tmp_path}/out", "--unit=1")
    main(["join", f"{tmp_path}/out"])
    whole = next(path for path in tmp_path.rglob("predictions") if path.is_dir())
    for name in ("frames.csv", "segments.csv"):
        assert (tmp_path / "out" / name).read_text() == (whole / name).read_text()
    about, (found,) = read_predictions(tmp_path / "out")
    assert (about.classifier, len(found.videos)) == ("GADClassifier", 2)


def test_a_unit_s_table_that_is_lost_or_damaged_is_not_left_out_silently(
    fitted: Path, unlabeled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict(fitted, f"--output={out}", f"--videos={unlabeled}", "--unit=1")
    (out / "frames" / "000001.csv").write_text("broken")
    with pytest.raises(DataError, match=r"frames.000001\.csv is damaged: it has no row.*\n.*\.json of its number"):
        main(["join", str(out)])
    (out / "frames" / "000001.csv").unlink()
    with pytest.raises(DataError, match=r"lacks frames/000001\.csv, though its unit is done.*\n.*\.json of its number"):
        main(["join", str(out)])


def test_videos_that_cannot_be_read_are_in_the_manifest_and_stop_nothing(
    fitted: Path, unlabeled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(fitted, f"--output={tmp_path}/out", f"--videos={unlabeled}", "--unit=2")
    rows = (tmp_path / "out" / "manifest.csv").read_text().splitlines()
    assert rows[0] == "video,state,frames,problem,unit"
    assert [row.split(",")[:3] for row in rows[1:]] == [
        ["v0", "done", "5"],
        ["v1", "done", "6"],
        ["v2", "broken", "0"],
        ["v3", "done", "8"],
        ["v4", "broken", "0"],
        ["v5", "done", "10"],
    ]
    assert "cannot be read as features" in rows[3]
    assert "Frame 3 of" in rows[5]
    assert "NaN" in rows[5]
    main(["join", f"{tmp_path}/out"])
    _, (found,) = read_predictions(tmp_path / "out")
    assert found.videos == ("v0", "v1", "v3", "v5")
    assert len(found.frame) == 5 + 6 + 8 + 10
    assert (found.truth < 0).all()


@pytest.mark.slow  # three commands
def test_a_stopped_run_goes_on_and_leaves_the_same_bytes(fitted: Path, unlabeled: Path, tmp_path: Path) -> None:
    given = [f"--videos={unlabeled}", "--unit=2"]
    predict(fitted, f"--output={tmp_path}/whole", *given)
    predict(fitted, f"--output={tmp_path}/part", *given, "--trainer.limit_predict_batches=1")
    assert len(list((tmp_path / "part" / "units").glob("*.json"))) < 3
    assert not (tmp_path / "part" / "manifest.csv").exists()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "part" / "units").glob("*.json")}
    predict(fitted, f"--output={tmp_path}/part", *given)
    assert files_of(tmp_path / "part") == files_of(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_a_folder_of_other_work_is_refused(fitted: Path, unlabeled: Path, tmp_path: Path) -> None:
    given = [f"--output={tmp_path}/out", f"--videos={unlabeled}"]
    predict(fitted, *given)
    with pytest.raises(DataError, match=r"holds results of other work: its unit is 64, here it is 3"):
        predict(fitted, *given, "--unit=3")
    (unlabeled / "v5.npy").unlink()
    with pytest.raises(DataError, match=r"its videos is 6, here it is 5.*\n.*another folder"):
        predict(fitted, *given)


def test_where_no_video_can_be_read_the_command_fails(fitted: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.zeros((4, 1, 7), np.float32))
    with pytest.raises(DataError, match=r"None of the 1 videos could be predicted.*\n.*manifest\.csv"):
        predict(fitted, f"--output={tmp_path}/out", f"--videos={tmp_path}")
    assert "have width 7; 12 is expected" in (tmp_path / "out" / "manifest.csv").read_text()


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (["--unit=3"], SettingError, "--unit was given without --output"),
        (["--output=OUT", "--unit=0"], SettingError, "unit counts videos and must be at least 1, got 0"),
        (["--output=OUT", "--videos=OUT/none"], MissingDataError, "There is no folder .*none"),
        (["--output=OUT", "--videos=OUT-in"], MissingDataError, "There is no feature file in .*"),
        (["--output=nope://bucket/out"], SettingError, r"nope://bucket/out cannot be opened: .*nope"),
    ],
)
def test_mistakes_are_told_plainly(
    fitted: Path, tmp_path: Path, options: list[str], kind: type[GadError], message: str
) -> None:
    (tmp_path / "out-in").mkdir()
    with pytest.raises(kind, match=rf"(?s){message}.*To fix it: "):
        predict(fitted, *(option.replace("OUT", f"{tmp_path}/out") for option in options))


@pytest.mark.slow  # six commands
def test_results_in_an_object_store_are_those_of_a_folder(
    fitted: Path, unlabeled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("gad_lightning.cli.predicting.rank_zero_info", told.append)
    given = [f"--videos={unlabeled}", "--unit=2"]
    predict(fitted, f"--output={tmp_path}/whole", *given)
    predict(fitted, f"--output=file://{tmp_path}/store", *given, "--trainer.limit_predict_batches=1")
    predict(fitted, f"--output=file://{tmp_path}/store", *given)
    assert told[-1].endswith(f"gad-lightning join file://{tmp_path}/store --output=FOLDER")
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")
    with pytest.raises(SettingError, match=r"is no folder, and the tables need one.*\n.*--output"):
        main(["join", f"file://{tmp_path}/store"])
    main(["join", f"file://{tmp_path}/store", f"--output={tmp_path}/joined"])
    main(["join", f"{tmp_path}/whole"])
    shutil.rmtree(tmp_path / "store")
    assert (tmp_path / "joined" / "frames.csv").read_bytes() == (tmp_path / "whole" / "frames.csv").read_bytes()
