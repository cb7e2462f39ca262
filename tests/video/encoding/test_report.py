"""The report of an encoding run: written, read again, joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from gad_lightning.errors import DataError
from gad_lightning.video.encoding.report import EncodeReport, Outcome, carry_over, merge, read_report

ONE = EncodeReport(
    {"a": Outcome("encoded", 40, 10.0, "ends early", "begins late"), "bü": Outcome("broken", problem="no video")},
    5.0,
    {"a.gif": "its ending"},
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    ONE.write(tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == ONE
    assert read_report(tmp_path / "none.json") == EncodeReport({}, 0.0)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"summary": {"took_seconds": 1}, "videos": {"a": {"state": "encoded", "source": 5}}}'],
)
def test_a_report_that_nobody_wrote_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(DataError, match=r"report\.json is no report of an encoding run"):
        read_report(tmp_path / "report.json")


def test_a_report_of_an_older_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"summary": {"took_seconds": 1}, "videos": {"a": {"state": "encoded", "frames": 3}}}')
    assert read_report(path).videos == {"a": Outcome("encoded", 3)}
    assert read_report(path).left_out == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"videos": {}}', '{"videos": {"a": {"color": 1}}, "summary": {}}'])
def test_a_damaged_report_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(DataError, match=r"(?s)report.json is no report of an encoding run.*delete it"):
        read_report(tmp_path / "report.json")


def test_speed_counts_what_was_encoded_only() -> None:
    assert (ONE.videos_per_second, ONE.hours_per_hour) == (0.2, 2.0)
    assert ONE.summary().startswith("1 encoded, 0 skipped, 1 broken; 0.20 videos/s, 2.0 hours of video per hour, 5 s")


def test_parts_are_joined_and_what_was_known_is_kept() -> None:
    both = merge([ONE, EncodeReport({"c": Outcome("skipped")}, 7.0, {"b.gif": "its ending"})])
    assert (set(both.videos), both.took_seconds, set(both.left_out)) == ({"a", "bü", "c"}, 7.0, {"a.gif", "b.gif"})
    again = carry_over(EncodeReport({"a": Outcome("skipped")}, 1.0), ONE.videos)
    assert again.videos["a"] == Outcome("skipped", 40, 10.0, "ends early", "begins late")
