"""Videos that a client names by a URL, where the server may fetch them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gad_lightning.errors import SettingError
from gad_lightning.optional import need
from gad_lightning.serving.messages import BadMessage

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0
"""In which a server must answer, and go on sending."""
PLAIN = re.compile(r"https?://[\w.:\[\]-]+/[\w./~%+,=&?@:-]*")
HIDDEN = re.compile(r"/\.|%2e|%2f|%5c", re.IGNORECASE)
"""Ways out of a folder."""


def check_allowed(urls: Sequence[str]) -> None:
    """Refuse beginnings of URLs that would allow more than they seem to.

    Raises:
        SettingError: if one does not end a folder of a host.
    """
    for url in urls:
        if not PLAIN.fullmatch(url) or not url.endswith("/") or not is_allowed(url, [url]):
            raise SettingError(
                "One of --urls is no folder of a host.", "write it like https://videos.example.org/public/"
            )


def is_allowed(url: str, allowed: Sequence[str]) -> bool:
    """Whether a URL lies within a folder that the server may fetch from: same scheme, host and port.

    Example:
        >>> is_allowed("https://a.org/v/tea.mp4", ["https://a.org/v/"]), is_allowed("https://a.org@b/", ["https://a.org/"])
        (True, False)
    """
    if not PLAIN.fullmatch(url) or HIDDEN.search(url):
        return False
    asked = urlsplit(url)
    return any(
        (asked.scheme, asked.netloc) == (known.scheme, known.netloc) and asked.path.startswith(known.path)
        for known in map(urlsplit, allowed)
    )


async def fetched(url: str, allowed: Sequence[str]) -> AsyncIterator[bytes]:
    """Fetch a video; redirections are not followed.

    Raises:
        BadMessage: if the URL is not allowed, or gives nothing.
    """
    if not is_allowed(url, allowed):
        raise BadMessage("The server may not fetch that URL.", "start it with --urls and the folder of the video", 403)
    client: type[httpx2.AsyncClient] = need("httpx2", extra="serve", why="to fetch videos").AsyncClient
    errors: tuple[type[Exception], ...] = (need("httpx2").HTTPError, need("httpx2").InvalidURL)
    try:
        asker = client(timeout=CONNECT_SECONDS, follow_redirects=False, trust_env=False)
        async with asker, asker.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise BadMessage(f"The URL gave status {answer.status_code}.", "check it", 502)
            async for part in answer.aiter_bytes():
                yield part
    except errors as error:
        raise BadMessage("The URL gave no answer.", "check it", 502) from error
