"""Opens video files: that one file, as a video, and nothing that it points to."""

from __future__ import annotations

import mmap
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gad_lightning.errors import DataError, MissingDataError
from gad_lightning.optional import need

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    *(
        "apng",
        "avi",
        "asf",
        "avif",
        "dv",
        "flv",
        "gif",
        "h264",
        "hevc",
        "ivf",
        "m4v",
        "mjpeg",
        "mpeg",
        "mpegts",
        "mpegvideo",
    ),
    *("mxf", "nut", "obu", "ogg", "rm", "yuv4mpegpipe"),
)
"""Formats that hold their pictures themselves: no playlists (HLS, DASH, concat, SDP ...) and no devices."""

HEADER = 9
"""First bytes of a file that are found again where another recording of the same make begins."""


PICTURE_IN_TS = re.compile(rb"\x47[\x40-\x7f].[\x10-\x3f]", re.DOTALL)
"""Head of a packet of MPEG-TS in which something begins (ISO 13818-1, 2.4.3.2)."""
VIDEO_IDS = bytes(range(0xE0, 0xF0))
"""Ids of streams of pictures in MPEG-TS (ISO 13818-1, table 2-22)."""
SIDE_BY_SIDE = 8
"""Pictures by which streams that are sent side by side end after each other."""


def open_video(path: Path | str) -> InputContainer:
    """Open a video file for reading; the caller closes it.

    Only the protocol ``file`` and self-contained formats are allowed: a playlist that is named ``.mp4`` reads nothing.

    Args:
        path: the file.

    Returns:
        A PyAV input container.

    Raises:
        MissingDataError: if there is no such file.
        DataError: if it is no video or of a format that refers to other files.
    """
    av = need("av", why="to read video files")
    file = Path(path)
    if not os.path.exists(file):
        raise MissingDataError(f"There is no video {file}.", "check the path")
    if not file.is_file():
        raise DataError(f"{file} is not a file.", "give the path of a video file")
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}
    try:
        container: InputContainer = av.open("file:" + os.path.abspath(file), options=options, metadata_errors="replace")
        return container
    except av.error.FFmpegError as error:
        raise DataError(
            f"{file} cannot be opened as a video: {error.strerror}.",
            "check that the file is whole and a video itself; playlists and files that point to others are refused",
        ) from error


def first_video(container: InputContainer, path: Path | str) -> VideoStream:
    """Pick the first video stream that is not a cover picture, set to decode with one thread.

    Decoder threads and forked workers can wait for each other for ever; several videos at once are faster anyway.

    Raises:
        DataError: if there is no video stream.
    """
    for stream in container.streams.video:
        if not is_cover(stream) and stream.codec_context is not None:
            stream.codec_context.thread_count = 1
            return stream
    raise DataError(f"{path} has no video stream that can be decoded.", "check that the file is a video")


def is_cover(stream: VideoStream) -> bool:
    """Whether a stream of pictures is the one cover of a sound file."""
    return bool(stream.disposition & need("av.stream", why="to read video files").Disposition.attached_pic)


def is_whole_matroska(path: Path) -> bool:
    """Whether a Matroska file is as long as its segment states (RFC 8794, 9559); a live recording never says.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cut.mkv"
        >>> _ = path.write_bytes(bytes.fromhex("1a45dfa3 82 4286 18538067 84 00"))
        >>> is_whole_matroska(path)
        False
    """
    with path.open("rb") as file:
        head = file.read(256)
    at = 4
    for is_segment in (False, True):
        if at >= len(head) or not head[at]:
            return False
        width = 9 - head[at].bit_length()
        length = int.from_bytes(head[at : at + width], "big") & (1 << 7 * width) - 1
        unknown = length == (1 << 7 * width) - 1
        end = at + width + length
        if is_segment:
            return not unknown and end <= path.stat().st_size
        if head[end : end + 4] != bytes.fromhex("18538067"):
            return False
        at = end + 4
    return False


def holds_another(container: InputContainer, path: Path, behind: int) -> bool:
    """Whether another recording begins behind a byte of a file: it was joined byte by byte, and the first one is read.

    A file of a format that is made to be joined (MPEG-TS, MPEG-PS) is read to its end.
    """
    flags = need("av.format", why="to read video files").Flags
    if container.format.flags & flags.ts_discont.value or behind >= path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(data[:HEADER], behind) >= 0


def has_two_movies(container: InputContainer, path: Path) -> bool:
    """Whether an MP4 or MOV file is several recordings joined byte by byte: it has more than one ``moov`` box.

    Of fragmented ones FFmpeg reads the second without its first fragment (ISO 14496-12, 8.2.1: one ``moov`` a file).
    """
    if "mp4" not in container.format.name.split(","):
        return False
    movies, at, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while movies < 2 and at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            movies += head[4:8] == b"moov"
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:], "big")
            if length < 8:  # the last box, or no box
                break
            at += length
    return movies > 1


def goes_on_elsewhere(container: InputContainer, stream: VideoStream, path: Path, behind: int) -> bool:
    """Whether an MPEG-TS file goes on in another stream of pictures behind the last packet of the one that is read.

    Recordings of several makes are joined so. Pictures of streams side by side end together.
    """
    if container.format.name != "mpegts" or behind >= path.stat().st_size:
        return False
    found: Counter[int] = Counter()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for head in PICTURE_IN_TS.finditer(data, behind):
            at = head.start() + 4
            at += 1 + data[at] if data[at - 1] & 0x20 else 0  # behind the field with the clock
            if data[at : at + 3] == b"\0\0\1" and data[at + 3 : at + 4] in VIDEO_IDS:
                found[int.from_bytes(head[0][1:3], "big") & 0x1FFF] += 1
    del found[stream.id]
    return max(found.values(), default=0) > SIDE_BY_SIDE


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Packets of a stream, and an empty one at the end.

    PyAV fails behind the last one where the file has streams that it had not at first.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return


def stated_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """Length that the file claims, or None; used in messages only."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None
