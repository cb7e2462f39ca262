"""The looks of the page."""

from __future__ import annotations

import base64
import hashlib

from gad_lightning.report.style import PROGRAM, STYLE, policy


def test_style_and_program_fetch_nothing() -> None:
    for text in (STYLE, PROGRAM):
        assert "http" not in text
        assert "url(" not in text


def test_the_policy_lets_this_program_run_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(PROGRAM.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy()
    assert policy().startswith("default-src 'none'")
    assert "media-src" not in policy()
    assert "media-src 'self' file:;" in policy(plays=True)
