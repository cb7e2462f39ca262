"""What is measured on a GPU is stored row by row, and a call goes on where another one stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gad_lightning.errors import SettingError

BENCH = Path(__file__).resolve().parents[1] / "experiments" / "bench"
SETTINGS = {"device": "cpu", "dtype": "float32", "seconds": 1.0}


@pytest.fixture
def rows_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes rows in a folder."""
    monkeypatch.syspath_prepend(str(BENCH))
    from gpu import Rows

    return lambda folder, **more: Rows(folder, 60.0, {**SETTINGS, **more.pop("settings", {})}, "abc", **more)


def stored_in(folder: Path) -> dict[str, Any]:
    """Rows of the file."""
    rows: dict[str, Any] = json.loads((folder / "gpu.json").read_text())["rows"]
    return rows


def never() -> dict[str, Any]:
    """Work that is not to be done."""
    raise AssertionError("done again")


def test_a_stored_row_is_kept_and_a_failed_one_told_and_tried_again_when_asked(
    tmp_path: Path, rows_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rows_of(tmp_path)
    first.add("good", lambda: {"speed": 3.0})
    first.add("bad", lambda: {"speed": 1 / 0})
    first.lock.release()
    assert first.failed == ["bad"]
    second = rows_of(tmp_path)
    second.add("good", never)
    second.add("bad", never)
    second.lock.release()
    assert second.failed == ["bad"]
    assert "bad, in an earlier call (--again tries it again): FAILED" in capsys.readouterr().out
    third = rows_of(tmp_path, again=True)
    third.add("good", never)
    third.add("bad", lambda: {"speed": 2.0})
    third.lock.release()
    assert not third.failed
    assert {name: row["speed"] for name, row in stored_in(tmp_path).items()} == {"good": 3.0, "bad": 2.0}


def test_a_row_that_was_stopped_is_begun_anew(tmp_path: Path, rows_of: Any) -> None:
    rows = rows_of(tmp_path)
    with pytest.raises(SystemExit):
        rows.add("long", lambda: sys.exit("time is up"))
    rows.lock.release()
    assert stored_in(tmp_path) == {}


def test_rows_of_another_device_and_of_another_process_are_left_alone(tmp_path: Path, rows_of: Any) -> None:
    rows = rows_of(tmp_path)
    rows.add("good", lambda: {"speed": 3.0})
    rows.lock.release()
    with pytest.raises(SettingError, match=r"(?s)gpu\.json holds rows of cpu .*this is cuda .*give another --output"):
        rows_of(tmp_path, settings={"device": "cuda"})
    code = "import sys, time; from gad_lightning.atomic import FolderLock; from pathlib import Path\n"
    code += "lock = FolderLock(Path(sys.argv[1]), 'gpu.lock')\nlock.take(); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "other"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(SettingError, match="is being written by another run: process"):
            rows_of(tmp_path / "other")
        holder.kill()


def kill_within_a_row(folder: Path) -> str:
    """Kill the process that measures when a row is stored and another one begun; name that one."""
    while True:
        time.sleep(0.02)
        if not (folder / "gpu.json").exists() or len(stored_in(folder)) < 2:
            continue
        number = int((folder / "gpu.lock").read_text().split()[1])
        os.kill(number, signal.SIGSTOP)
        begun = [name for name, row in stored_in(folder).items() if "row_seconds" not in row]
        os.kill(number, signal.SIGKILL if begun else signal.SIGCONT)
        if begun:
            return begun[0]


@pytest.mark.slow  # three processes
@pytest.mark.skipif(sys.platform == "win32", reason="a script for bash")
def test_the_script_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    command = ["bash", str(BENCH / "gpu.sh"), "--device", "cpu", "--shape", "tiny", "--streams", "8"]
    command += ["--output", str(tmp_path)]
    with_sections = {**os.environ, "SECTIONS": "profile", "PYTHON": sys.executable}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=with_sections) as running:
        died = kill_within_a_row(tmp_path)
        before = stored_in(tmp_path)
        told, _ = running.communicate()
    assert running.returncode != 0
    after = stored_in(tmp_path)
    assert f"{died}, in an earlier call (--again tries it again): FAILED\nthe process died in this row" in told
    assert after[died]["error"] == "the process died in this row"
    assert {name: after[name] for name in before} == before
    assert len(after) == 4
    assert all(row["profiled_ms"] > 0 for name, row in after.items() if name != died)
    done = subprocess.run([*command, "--again"], capture_output=True, text=True, check=False, env=with_sections)
    assert done.returncode == 0, done.stdout + done.stderr
    again = stored_in(tmp_path)
    assert again[died]["profiled_ms"] > 0
    assert {name: again[name] for name in after if name != died} == {
        name: row for name, row in after.items() if name != died
    }
