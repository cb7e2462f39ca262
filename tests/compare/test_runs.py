"""Which runs a comparison is made of, and that it removes nothing that is not its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gad_lightning.compare.runs import JOB, OVERRIDE, Run, Variant, check_runs, run_all
from gad_lightning.errors import SettingError
from gad_lightning.results.tables import write_json


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("a.yaml", ["a.yaml"], id="none"),
        pytest.param("a.yaml+x.y=1+z=b.C", ["a.yaml", "x.y=1", "z=b.C"], id="two"),
        pytest.param(
            "a.yaml+lr=1e+3+t.callbacks+=a.B", ["a.yaml", "lr=1e+3", "t.callbacks+=a.B"], id="plus in a value"
        ),
    ],
)
def test_overrides_follow_a_plus(text: str, parts: list[str]) -> None:
    assert OVERRIDE.split(text) == parts


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of a config that no command can read, so that it fails at once."""
    (tmp_path / "gad.yaml").write_text("model: nonsense\n")
    return Run(Variant("gad", tmp_path / "gad.yaml"), 0, tmp_path / "out" / "gad" / "0")


def test_a_folder_that_no_comparison_made_is_refused_and_kept(run: Run) -> None:
    (run.home / "notes").mkdir(parents=True)
    (run.home / "notes" / "thesis.txt").write_text("a year of work")
    with pytest.raises(SettingError, match=r"gad/0 holds 'notes' and no job.json of a comparison.*\n.*--output"):
        check_runs([run], "rerun")
    with pytest.raises(SettingError, match="something else made it"):
        run_all([run], 1, 1, list[str]().append)
    assert (run.home / "notes" / "thesis.txt").read_text() == "a year of work"


def test_another_job_is_no_record_of_a_comparison(run: Run) -> None:
    run.home.mkdir(parents=True)
    (run.home / JOB).write_text("{}")
    with pytest.raises(SettingError, match="something else made it"):
        check_runs([run], "rerun")


def test_a_link_to_another_folder_is_refused(run: Run, tmp_path: Path) -> None:
    run.home.parent.mkdir(parents=True)
    run.home.symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(SettingError, match="is a link or a file"):
        check_runs([run], "rerun")


@pytest.mark.slow  # a process that imports everything: some 10 s
def test_an_unfinished_run_is_cleared_of_its_own_files_and_of_no_others(run: Run) -> None:
    write_json_of(run)
    for name in ("checkpoints/last.ckpt", "predictions/frames.csv", "metrics.csv", "notes.txt", "notes/more.txt"):
        (run.home / name).parent.mkdir(exist_ok=True)
        (run.home / name).write_text("earlier")
    assert run_all([run], 1, 1, list[str]().append) == [run]
    left = {path.name for path in run.home.rglob("*") if path.is_file() and path.read_text() == "earlier"}
    assert left == {"notes.txt", "more.txt"}


def write_json_of(run: Run) -> None:
    """Leave the record of an earlier start."""
    run.home.mkdir(parents=True)
    write_json(run.home / JOB, {**run.asked, "seed": 7})


def test_a_second_comparison_in_the_folder_of_a_living_one_is_refused_and_names_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    holder = (
        "import sys; from pathlib import Path; from gad_lightning.atomic import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); lock.take(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(SettingError, match=rf"out is being written by another run: process {other.pid} on "):
            run_all([run], 1, 1, list[str]().append)
        other.communicate()
    assert not run.home.exists()
