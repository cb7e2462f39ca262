"""What a terminal shows of a live stream: the label, the likeliest classes, the last changes and the counts."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gad_lightning.decisions.handing_over import HandedOver
from gad_lightning.escape import escape_terminal
from gad_lightning.redact import redact
from gad_lightning.streaming.watching import Sighting

RECENT = 8
"""Changes of the label that stay on the screen."""
BARS = 5
"""Classes whose probabilities are drawn."""
BAR_WIDTH = 30
SILENT_SECONDS = 2.0
"""Without a frame for so long, the screen says so."""


class Screen:
    """Draws one stream while :meth:`drawn`; where the output is no terminal, every change becomes a line.

    Args:
        console: where to draw.
        names: class names.
        shown: name of the source.
    """

    def __init__(self, console: Console, names: tuple[str, ...], shown: str) -> None:
        self.console, self.shown = console, escape_terminal(redact(shown))
        self.names = tuple(map(escape_terminal, names))
        self.status = "opening"
        self.sighting: Sighting | None = None
        self.frames = self.restarts = 0
        self.changes: deque[tuple[float, str]] = deque(maxlen=RECENT)
        self.latencies: deque[float] = deque(maxlen=1000)
        self.last = time.monotonic()
        self.told = ""  # what was last put into words

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Keep the terminal up to date within the block, and leave the counts behind."""
        if self.console.is_terminal:
            with Live(self, console=self.console, refresh_per_second=5):
                yield
        else:
            yield
            self.console.print(Text(self.counts))

    def see(self, sighting: Sighting) -> None:
        """Take the newest label."""
        sighting = sighting._replace(label=escape_terminal(sighting.label))
        self.sighting, self.last = sighting, time.monotonic()
        self.frames += 1
        self.restarts += sighting.restarted
        self.latencies.append(sighting.latency)
        if not self.changes or self.changes[-1][1] != sighting.label:
            self.changes.append((sighting.seconds, sighting.label))
            self.tell(f"{sighting.seconds:9.2f} s  {sighting.label}  {sighting.score:.2f}")
        if sighting.words is not None:
            self.told = escape_terminal(_told(sighting.words))
            self.tell(self.told)

    def say(self, status: str) -> None:
        """Take what happens to the source."""
        self.status = escape_terminal(redact(status))
        self.tell(f"{self.shown} {self.status}")

    def tell(self, line: str) -> None:
        """Write a line where nothing can be drawn."""
        if not self.console.is_terminal:
            self.console.print(Text(line))

    @property
    def counts(self) -> str:
        """Frames, drops, restarts, and the median and 99th percentile of the last latencies."""
        dropped = 0 if self.sighting is None else self.sighting.dropped
        text = f"{self.frames} frames, {dropped} dropped, {self.restarts} restarts"
        if not self.latencies:
            return text
        late = sorted(self.latencies)
        median, slow = (1000 * late[math.ceil(share * len(late)) - 1] for share in (0.5, 0.99))
        return f"{text}, latency {median:.0f} ms, p99 {slow:.0f} ms"

    def __rich__(self) -> Group:
        """Draw; asked several times a second, so that a source that has fallen silent is seen."""
        head = Text(f"{self.shown} {self.status}", style="dim")
        if self.sighting is None:
            return Group(head)
        seen, silent = self.sighting, time.monotonic() - self.last
        age = f"   no frame for {silent:.0f} s" if silent > SILENT_SECONDS else ""
        bars = Table.grid(padding=(0, 2))
        shares, classes = seen.probabilities.topk(min(BARS, len(self.names)))
        for share, index in zip(shares.tolist(), classes.tolist(), strict=True):
            bars.add_row(Text(self.names[index]), Text(f"{share:.2f}"), Text("█" * round(BAR_WIDTH * share)))
        past = [Text(f"{seconds:9.2f} s   {label}", style="dim") for seconds, label in reversed(self.changes)]
        now = Text(f"{seen.seconds:9.2f} s   {seen.label}{age}", style="bold")
        told = [Text(self.told)] if self.told else []
        return Group(head, now, bars, *past, *told, Text(self.counts, style="dim"))


def _told(words: HandedOver) -> str:
    """A stretch that stayed unknown, on one line."""
    texts = " | ".join(repr(text.text) for text in (words.slot, words.base) if text is not None)
    since = f"{words.seconds:9.2f} s  unknown since {words.start_seconds:.2f} s, nearest {words.nearest}"
    return f"{since}: {texts}" if texts else f"{since}; no tokens left for words"
