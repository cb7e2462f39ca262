"""What the terminal shows of a stream: changes as lines where nothing can be drawn, and no password."""

from __future__ import annotations

import io

import torch
from rich.console import Console

from gad_lightning.streaming.screen import Screen
from gad_lightning.streaming.watching import Sighting

NAMES = ("background", "stir")


def sighting(seconds: float, label: str, **more: object) -> Sighting:
    """One that is sure."""
    probabilities = torch.tensor([0.1, 0.9] if label == "stir" else [0.9, 0.1])
    found = Sighting(seconds, label, label, probabilities, 0.9, 0.3, latency=0.02, dropped=3, restarted=False)
    return found._replace(**more)


def screen(terminal: bool) -> tuple[Screen, io.StringIO]:
    """A screen and what is written to it."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80, legacy_windows=False)
    return Screen(console, NAMES, "rtsp://admin:hunter2@camera/live"), written


def test_changes_become_lines_where_nothing_can_be_drawn() -> None:
    shown, written = screen(terminal=False)
    with shown.drawn():
        shown.say("connected: live, h264 64x64")
        for seconds, label in ((0.0, "background"), (0.25, "background"), (0.5, "stir")):
            shown.see(sighting(seconds, label))
    lines = written.getvalue().splitlines()
    assert lines[0] == "rtsp://***@camera/live connected: live, h264 64x64"
    assert [line.split() for line in lines[1:3]] == [["0.00", "s", "background", "0.90"], ["0.50", "s", "stir", "0.90"]]
    assert lines[3] == "3 frames, 3 dropped, 0 restarts, latency 20 ms, p99 20 ms"


def test_the_terminal_shows_the_label_its_probabilities_and_the_past() -> None:
    shown, written = screen(terminal=True)
    shown.see(sighting(0.5, "background"))
    shown.see(sighting(1.0, "stir", restarted=True))
    shown.console.print(shown)
    drawn = written.getvalue()
    assert "hunter2" not in drawn
    assert "1.00 s   stir" in drawn
    assert drawn.index("█" * 27) < drawn.index("0.50 s   background")
    assert "2 frames, 3 dropped, 1 restarts" in drawn


def test_a_source_that_has_fallen_silent_is_seen() -> None:
    shown, written = screen(terminal=True)
    shown.see(sighting(1.0, "stir"))
    shown.last -= 5
    shown.console.print(shown)
    assert "no frame for 5 s" in written.getvalue()
