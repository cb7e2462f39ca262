"""The looks of the page."""

from __future__ import annotations

from gad_lightning.report.style import PROGRAM, STYLE


def test_style_and_program_fetch_nothing() -> None:
    for text in (STYLE, PROGRAM):
        assert "http" not in text
        assert "url(" not in text
