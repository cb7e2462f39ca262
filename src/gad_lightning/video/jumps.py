"""One clock from stored times that go back or jump: joined recordings, and single times that are off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
LONGEST_GAP = 3600.0
"""Seconds between two frames beyond which the file's clock is taken for broken."""
LONG_STILL, LONGEST_STILLS = 60.0, 6 * 3600.0
"""Frames that stay for longer than the first (seconds) may add up to the second; beyond, the clock is broken."""
ODD_AHEAD, ODD_FRAMES = (0.5, 2.0), 4
"""Frames ahead from which a time is checked against the ones that follow it, and seconds that these are at least and at
most."""
JOINED_AHEAD = 10.0
"""Seconds ahead that are another recording's clock, in formats made to be joined; FFmpeg has the same limit."""
BACK, JOINED_BACK = 1.0, 0.1
"""Seconds back from which the clock is another one: in most formats, and in those made to be joined."""
LOOK_AHEAD = 8
"""Frames in a row whose times must keep away from the clock before they are believed."""


class Stamp(NamedTuple, Generic[T]):
    """A frame and what its file says of its time."""

    seconds: float | None  # since time 0; None where the format has no times
    lasts: float  # seconds, as stated; 0 where nothing is stated
    frame: T


class Jumps:
    """Puts frames on one clock; some wait until the frames behind them tell which time is right.

    A single time that is off is put between its neighbors. A clock that goes back is continued. So is one that jumps
    ahead and comes back, and in formats whose files are made to be joined every one that jumps ahead; elsewhere the
    time between is a gap.

    Args:
        joined: whether the format's files are made to be joined (MPEG-TS, MPEG-PS, HLS, Ogg).
        gap: usual seconds between two frames.
        stated_end: seconds that the file claims to last, or None.
        comes_back: tells of a stamp's seconds, given those before it, whether later frames are before it again; None
            where nobody can know. It is asked in the order of the file.

    Attributes:
        problem: what makes the times doubtful, or None.

    Example:
        >>> jumps = Jumps(joined=False, gap=0.5, stated_end=None)
        >>> stamps = [Stamp(seconds, 0.5, name) for seconds, name in [(0.0, "a"), (600.0, "b"), (1.0, "c")]]
        >>> [(now, stamp.frame) for now, stamp in jumps.run(stamps)]
        [(0.0, 'a'), (0.5, 'b'), (1.0, 'c')]
        >>> jumps.note
        'has a frame 599.500 s away from its neighbors, at 0.500 s; it was put between them'
    """

    def __init__(
        self,
        joined: bool,
        gap: float,
        stated_end: float | None,
        comes_back: Callable[[float, float], bool] | None = None,
    ) -> None:
        self.joined, self.gap, self.stated_end = joined, gap, stated_end
        self.comes_back = comes_back
        self.back = JOINED_BACK if joined else BACK
        self.ahead = min(max(ODD_FRAMES * gap, ODD_AHEAD[0]), ODD_AHEAD[1])
        self.begun = False
        self.last = self.expected = self.stills = 0.0
        self.shift = self.home = 0.0  # of the clock now, and of the one before it
        self.strays = self.joints = 0
        self.first_stray = self.first_joint = self.first_still = ""
        self.problem: str | None = None

    @property
    def note(self) -> str | None:
        """What was put right, or None."""
        more = [f" ({count} times)" if count > 1 else "" for count in (self.joints, self.strays)]
        told = [self.first_joint + more[0]] * bool(self.joints) + [self.first_stray + more[1]] * bool(self.strays)
        return "; ".join(filter(None, [*told, self.first_still])) or None

    def run(self, stamps: Iterable[Stamp[T]]) -> Iterator[tuple[float, Stamp[T]]]:
        """Yield frames in their order and their times, which never go back by more than ``BACK``."""
        odd: list[Stamp[T]] = []
        for stamp in stamps:
            near = -self.back * (not odd) <= self._time(stamp) - self.last <= self.ahead
            if near and odd:
                yield from self._between(odd, self._time(stamp))
                odd = []
            elif not near:
                odd.append(stamp)
                if len(odd) == LOOK_AHEAD:
                    yield from self._land(odd)
                    odd = []
            if near:
                yield self._give(self._time(stamp), stamp)
            if self.problem is not None:
                return
        if odd and self._is_beyond_end(odd[0]):
            yield from self._between(odd, self.expected + self.gap * len(odd))
        else:
            yield from self._land(odd)

    def _time(self, stamp: Stamp[T]) -> float:
        return self.expected if stamp.seconds is None else stamp.seconds + self.shift

    def _is_beyond_end(self, stamp: Stamp[T]) -> bool:
        """Whether the last frames of a file lie behind all that it claims to last."""
        claimed = self.stated_end is not None and self._time(stamp) > 1.05 * self.stated_end + 1
        return self.begun and claimed

    def _between(self, odd: list[Stamp[T]], end: float) -> Iterator[tuple[float, Stamp[T]]]:
        """Spread frames whose times are off evenly over the time between their neighbors."""
        begin = self.last if self.begun else 0.0
        step = max(0.0, end - begin) / (len(odd) + self.begun)
        for index, stamp in enumerate(odd):
            now = begin + step * (index + self.begun)
            off = self._time(stamp) - now
            told = f"has a frame {abs(off):.3f} s away from its neighbors, at {now:.3f} s; it was put between them"
            self.first_stray = self.first_stray or told
            self.strays += 1
            yield self._give(now, stamp)

    def _land(self, odd: list[Stamp[T]]) -> Iterator[tuple[float, Stamp[T]]]:
        """Follow the clock to another time: continue it, or take the time between for a gap."""
        for stamp in odd:
            now = self._time(stamp)
            step = now - self.last
            if stamp.seconds is not None and self._is_home(stamp.seconds, step):
                self.shift, self.home = self.home, self.shift
                now = self._time(stamp)
            elif step < -self.back or self._is_foreign(stamp, step):
                told = f"has a clock that jumps from {self.last:.3f} s to {now:.3f} s; times go on across it"
                self.first_joint = self.first_joint or told
                self.joints += 1
                self.home, self.shift = self.shift, self.shift + self.expected - now
                now = self.expected
            elif step > LONGEST_GAP:
                self.problem = f"has a clock that jumps from {self.last:.3f} s to {now:.3f} s"
                return
            yield self._give(now, stamp)

    def _is_home(self, seconds: float, step: float) -> bool:
        """Whether a clock that has jumped is back on the one before, which then goes on as it was."""
        if -self.back <= step <= self.ahead or self.home == self.shift:
            return False
        return -self.back <= seconds + self.home - self.last < min(abs(step), LONGEST_GAP)

    def _is_foreign(self, stamp: Stamp[T], step: float) -> bool:
        """Whether a clock that is ahead is another one, rather than at the end of a gap."""
        if not self.begun or step <= self.ahead or stamp.seconds is None:
            return False
        if self.joined and step > JOINED_AHEAD:
            return True
        return self.comes_back is not None and self.comes_back(stamp.seconds, stamp.seconds - step)

    def _give(self, now: float, stamp: Stamp[T]) -> tuple[float, Stamp[T]]:
        still = now - self.last
        if still > LONG_STILL:
            self.stills += still
            told = f"shows one picture for {still:.3f} s, from {self.last:.3f} s on"
            self.first_still = self.first_still or told
            if self.stills > LONGEST_STILLS:
                self.problem = f"shows still pictures for more than {LONGEST_STILLS / 3600:g} h, until {now:.3f} s"
        self.last = max(self.last, now)
        self.expected = now + (stamp.lasts if 0 < stamp.lasts < JOINED_AHEAD else self.gap)
        self.begun = True
        return now, stamp
