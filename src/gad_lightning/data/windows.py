"""Which frames a query sees: the paper's windows, clips, and chunks for one pass. Pure functions of integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gad_lightning.schema import Windows

IntArray = NDArray[np.int64]


def window_frames(end: int, windows: Windows, published: bool = False) -> IntArray:
    """Frames of the window that ends before frame ``end``: long memory, then short memory, in time order.

    The short memory is the last ``windows.short`` frames, thinned so that the newest frame always stays; the long
    memory is the ``windows.long`` frames before those, thinned on a grid that hangs off the short memory. At the start
    of a video a window is just shorter: nothing is padded or repeated.

    Args:
        end: frame after the newest one, at least 1.
        windows: lengths and strides, in frames.
        published: thin the short memory from its oldest frame instead, as the paper's code does. With a stride above 1
            the newest frame can then be missing from its own window.

    Returns:
        (n,) int64 ascending, n at most ``windows.frames``.

    Source: Pang et al., On Discriminative vs. Generative Classifier, ICLR 2026, public code.

    Example:
        >>> window_frames(8, Windows(short=3, long=4, short_stride=2, long_stride=2))
        array([1, 3, 5, 7])
        >>> window_frames(8, Windows(short=4, short_stride=2), published=True)
        array([4, 6])
    """
    begin = max(0, end - windows.short)
    oldest = begin - windows.long
    if published:
        short = np.arange(begin, end, windows.short_stride)
        long = np.arange(oldest if oldest >= 0 else begin % windows.long_stride, begin, windows.long_stride)
    else:
        short = np.arange(end - 1, begin - 1, -windows.short_stride)[::-1]
        long = np.arange(begin - windows.long_stride, max(oldest, 0) - 1, -windows.long_stride)[::-1]
    return np.concatenate([long, short]).astype(np.int64)


def chunk_bounds(num_frames: int, chunk: int, first: int | None = None) -> IntArray:
    """Cut ``num_frames`` frames into chunks of ``chunk`` new frames: (n + 1,) bounds from 0 to ``num_frames``.

    Args:
        num_frames: frames of the video.
        chunk: new frames of a chunk; the last may have fewer.
        first: new frames of the first chunk, 1 to ``chunk``; ``chunk`` if None.

    Example:
        >>> chunk_bounds(10, 4)
        array([ 0,  4,  8, 10])
        >>> chunk_bounds(10, 4, first=1)
        array([ 0,  1,  5,  9, 10])
    """
    inner = np.arange(chunk if first is None else first, num_frames, chunk)
    return np.concatenate([[0], inner, [num_frames]]).astype(np.int64)


def chunk_frames(start: int, end: int, window: int) -> IntArray:
    """Frames of the chunk with the new frames ``[start, end)``: up to ``window - 1`` frames of context, then those.

    Example:
        >>> chunk_frames(8, 11, window=3)
        array([ 6,  7,  8,  9, 10])
    """
    return np.arange(max(0, start - (window - 1)), end)


def frames_up_to(frame: int, windows: Windows) -> IntArray:
    """Frames that a frame is labeled with, itself the last: its window, or in one pass its chunk so far.

    Example:
        >>> frames_up_to(9, Windows(mode="one_pass", short=3, chunk=4))
        array([6, 7, 8, 9])
    """
    if windows.mode == "window":
        return window_frames(frame + 1, windows)
    return chunk_frames(frame // windows.chunk * windows.chunk, frame + 1, windows.frames)
