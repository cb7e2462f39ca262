"""Where live pictures come from: a camera, a URL or a file, named so that no password is given away."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field
from typing import Literal

from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.optional import need
from gad_lightning.redact import redact

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "tcp", "udp", "rtp", "srt")
"""Protocols a source may name; which of them work is the FFmpeg build's choice."""


@dataclass(frozen=True)
class Address:
    """A source in the words of FFmpeg; printing it shows no password."""

    shown: str  # for messages, logs and pages
    kind: Literal["camera", "url", "file"]
    url: str = field(repr=False)  # as FFmpeg takes it
    format: str | None = None  # FFmpeg's input device, for cameras

    def __str__(self) -> str:
        return self.shown

    def check_there(self) -> Address:
        """Return the address, refusing a file that is not there; cameras and URLs are known when they are opened.

        Raises:
            MissingDataError: if there is no such file.
        """
        if self.kind == "file" and not os.path.exists(self.url):
            raise MissingDataError(f"There is no video {self}.", "check the path; a URL begins like rtsp://")
        return self


def address_of(source: str, platform: str = sys.platform) -> Address:
    """Read what a user calls a source.

    Args:
        source: ``camera``, ``camera:1`` or ``camera:NAME``; a URL; or the path of a file.
        platform: as :data:`sys.platform`; it decides how cameras are reached.

    Raises:
        SettingError: if a URL's protocol is unknown, or there is no such camera where they have names only.

    Example:
        >>> address_of("rtsp://admin:12345@10.0.0.7/live")
        Address(shown='rtsp://***@10.0.0.7/live', kind='url', format=None)
    """
    word, _, name = source.partition(":")
    if word == "camera" or source.isdigit():
        return _camera(source if source.isdigit() else name or "0", platform)
    if source.startswith("/dev/video"):
        return _camera(source, platform)
    if "://" not in source:
        return Address(redact(source), "file", source)
    if word.lower() not in SCHEMES:
        raise SettingError(
            f"There is no way to read {word}:// sources.", f"use one of {', '.join(SCHEMES)}, a path, or camera"
        )
    if re.search(r"\s", source):
        raise SettingError("The URL of the source holds a blank.", "write it as %20")
    return Address(redact(source), "url", word.lower() + source[len(word) :])


def _camera(name: str, platform: str) -> Address:
    """Map a camera's number or name to the platform's device.

    Args:
        name: number from 0; or a name: that of the device file on Linux, of the camera elsewhere.
        platform: as :data:`sys.platform`.

    Raises:
        SettingError: if Windows, which has names only, knows no camera of that number.

    Example:
        >>> _camera("0", "linux").url, _camera("0", "darwin").format, _camera("Front door", "win32").url
        ('/dev/video0', 'avfoundation', 'video=Front door')
    """
    if "://" in name:
        raise SettingError(f"'camera:{redact(name)}' is a URL, not a camera.", "leave 'camera:' out")
    shown = f"camera {name}"
    if platform == "darwin":
        return Address(shown, "camera", name, "avfoundation")
    if platform != "win32":
        return Address(shown, "camera", f"/dev/video{name}" if name.isdigit() else name, "v4l2")
    if name.isdigit():
        names = _camera_names("dshow")
        if int(name) >= len(names):
            raise SettingError(
                f"There is no camera number {name}; found are: {', '.join(names) or 'none'}.",
                "connect it, or write camera:NAME with the name that Windows shows",
            )
        name = names[int(name)]
    return Address(shown, "camera", f"video={name}", "dshow")


def _camera_names(device: str) -> list[str]:
    """Names of the cameras that an input device of FFmpeg knows; none where it cannot list them."""
    av = need("av", why="to read cameras")
    try:
        return [found.name for found in av.enumerate_input_devices(device) if "video" in found.media_types]
    except (ValueError, av.error.FFmpegError):
        return []
