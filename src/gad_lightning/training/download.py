"""Downloads a file from a URL, within limits of time and size that the environment may set."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import IO
from urllib.request import urlopen

from lightning.fabric.utilities.cloud_io import get_filesystem

from gad_lightning.errors import SettingError

SILENT_SECONDS = 60.0
"""How long a server may be silent."""
SECONDS, GIGABYTES = "GAD_LIGHTNING_URL_SECONDS", "GAD_LIGHTNING_URL_GIGABYTES"
"""Variables of the environment that set the limits."""
LIMITS = {SECONDS: 3600.0, GIGABYTES: 16.0}
"""What they are by default: how long a download may take, and how large it may be (1e9 bytes each)."""
READ_BYTES = 1 << 20


def download(url: str, target: IO[bytes]) -> None:
    """Write what a URL holds to an open file.

    Raises:
        OSError: if it cannot be read, or does not keep the limits; other errors of the file system that reads it pass.
        SettingError: if a limit in the environment is no number above 0.
    """
    end, left = time.monotonic() + _limit(SECONDS), _limit(GIGABYTES) * 1e9
    for block in _blocks(url):
        left -= len(block)
        if left < 0:
            raise OSError(f"it is larger than {_limit(GIGABYTES):g} GB; {GIGABYTES} sets the limit")
        if time.monotonic() > end:
            raise OSError(f"it has not come within {_limit(SECONDS):g} s; {SECONDS} sets the limit")
        target.write(block)


def _limit(name: str) -> float:
    """A limit, from the environment or as it is by default.

    Raises:
        SettingError: if it is no number above 0.
    """
    given = os.environ.get(name, "")
    try:
        value = float(given or LIMITS[name])
    except ValueError:
        value = 0.0
    if not value > 0:
        raise SettingError(f"The environment variable {name} is {given!r}.", "set it to a number above 0")
    return value


def _blocks(url: str) -> Iterator[bytes]:
    """What a URL holds, as it comes."""
    if not url.startswith(("http://", "https://")):
        with get_filesystem(url).open(url, "rb") as file:
            while block := file.read(READ_BYTES):
                yield block
        return
    with closing(urlopen(url, timeout=SILENT_SECONDS)) as answer:
        while block := answer.read1(READ_BYTES):
            yield block
        if answer.length:
            raise OSError(f"it ends {answer.length} bytes early")
