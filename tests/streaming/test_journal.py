"""The log is whole at any moment and gives no password away."""

from __future__ import annotations

import json
import math
import threading
from datetime import datetime
from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.streaming.journal import Journal


def test_every_line_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "watch.jsonl"
    with Journal(path) as journal:
        for number in range(3):
            journal.write("label", label="stir", score=0.5, drops=number)
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            assert [line["drops"] for line in lines] == list(range(number + 1))
    assert datetime.fromisoformat(lines[0]["wall"]).utcoffset() is not None
    journal.write("label", label="too late")
    assert len(path.read_text().splitlines()) == 3


def test_a_log_is_continued_behind_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "watch.jsonl"
    path.write_text('{"event": "label"}\n{"event": "la')
    with Journal(path) as journal:
        journal.write("closed")
    assert [line for line in path.read_text().splitlines() if line.startswith('{"event": "closed"')]
    with Journal(path) as journal:
        journal.write("closed")
    assert len(path.read_text().splitlines()) == 4


def test_what_json_or_a_reader_must_not_see_is_left_out(tmp_path: Path) -> None:
    with Journal(tmp_path / "watch.jsonl") as journal:
        journal.write("lost", why="no answer from rtsp://u:hunter2@h/x", score=math.nan, name="Brühe\n")
    line = json.loads((tmp_path / "watch.jsonl").read_text())
    assert (line["why"], line["score"], line["name"]) == ("no answer from rtsp://***@h/x", None, "Brühe\n")


def test_threads_do_not_cut_one_anothers_lines(tmp_path: Path) -> None:
    path = tmp_path / "watch.jsonl"

    def write(journal: Journal) -> None:
        for _ in range(40):
            journal.write("label", label="x" * 5000)

    with Journal(path) as journal:
        writers = [threading.Thread(target=write, args=(journal,)) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 160


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"The log .* cannot be written: Is a directory"), Journal(tmp_path):
        pass


def test_no_log_is_no_file(tmp_path: Path) -> None:
    with Journal(None) as journal:
        journal.write("label", label="stir")
