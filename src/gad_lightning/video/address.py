"""Where live pictures come from: a camera, a URL or a file, named so that no password is given away."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Literal

from gad_lightning.errors import SettingError
from gad_lightning.optional import need

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "tcp", "udp", "rtp", "srt")
"""Protocols a source may name; which of them work is the FFmpeg build's choice."""
HIDDEN = "***"
SECRET = re.compile(
    r"(?i)((?:pass|pwd|pw|psw|token|key|secret|auth|sig|cred|access_?code|jsession)\w*=|passphrase:)\S*"
)


@dataclass(frozen=True)
class Address:
    """A source in the words of FFmpeg; printing it shows no password."""

    shown: str  # for messages, logs and pages
    kind: Literal["camera", "url", "file"]
    url: str = field(repr=False)  # as FFmpeg takes it
    format: str | None = None  # FFmpeg's input device, for cameras

    def __str__(self) -> str:
        return self.shown


def redact(text: str) -> str:
    """Hide what may be secret in the URLs of a text: user and password, everything behind ``?``, keys in the path.

    Rather too much is hidden than too little: everything before the last ``@`` of a word with a colon goes.

    Example:
        >>> redact("no answer from rtsp://admin:p@ss/word@10.0.0.7:554/live?token=1 (timeout)")
        'no answer from rtsp://***@10.0.0.7:554/live?*** (timeout)'
        >>> redact("http://camera/user=admin_password=12345_channel=1")
        'http://camera/user=admin_password=***'
    """
    return re.sub(r"\S+", lambda word: redact_word(word[0]) if ":" in word[0] else word[0], text)


def redact_word(word: str) -> str:
    """Hide what may be secret in one word of a text."""
    head, at, rest = word.rpartition("@")
    if at:
        scheme = re.match(r"\W*[A-Za-z][\w+.-]*:/+", head)
        place, mark, _ = cut_at(rest, "?#&;")
        word = f"{scheme[0] if scheme else ''}{HIDDEN}@{place}{'?' + HIDDEN if mark else ''}"
    elif "://" in word:
        place, mark, _ = cut_at(word, "?#")
        word = f"{place}?{HIDDEN}" if mark else place
    return SECRET.sub(rf"\g<1>{HIDDEN}", word)


def cut_at(text: str, marks: str) -> tuple[str, str, str]:
    """Cut a text at the first of some characters, as ``str.partition`` does at one."""
    found = re.search(f"[{re.escape(marks)}]", text)
    return (text, "", "") if found is None else (text[: found.start()], found[0], text[found.end() :])


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
        return camera(source if source.isdigit() else name or "0", platform)
    if source.startswith("/dev/video"):
        return camera(source, platform)
    if "://" not in source:
        return Address(redact(source), "file", source)
    if word.lower() not in SCHEMES:
        raise SettingError(
            f"There is no way to read {word}:// sources.", f"use one of {', '.join(SCHEMES)}, a path, or camera"
        )
    if re.search(r"\s", source):
        raise SettingError("The URL of the source holds a blank.", "write it as %20")
    return Address(redact(source), "url", source)


def camera(name: str, platform: str) -> Address:
    """Map a camera's number or name to the platform's device.

    Args:
        name: number from 0; or a name: that of the device file on Linux, of the camera elsewhere.
        platform: as :data:`sys.platform`.

    Raises:
        SettingError: if Windows, which has names only, knows no camera of that number.

    Example:
        >>> camera("0", "linux").url, camera("0", "darwin").format, camera("Front door", "win32").url
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
        names = camera_names("dshow")
        if int(name) >= len(names):
            raise SettingError(
                f"There is no camera number {name}; found are: {', '.join(names) or 'none'}.",
                "connect it, or write camera:NAME with the name that Windows shows",
            )
        name = names[int(name)]
    return Address(shown, "camera", f"video={name}", "dshow")


def camera_names(device: str) -> list[str]:
    """Names of the cameras that an input device of FFmpeg knows; none where it cannot list them."""
    av = need("av", why="to read cameras")
    try:
        return [found.name for found in av.enumerate_input_devices(device) if "video" in found.media_types]
    except (ValueError, av.error.FFmpegError):
        return []
