"""Reads a web address and what its playlist names, from that host and port alone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPMessage, HTTPResponse
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from gad_lightning.errors import DataError
from gad_lightning.redact import redact

Home = tuple[str, str | None, int | None]
"""Protocol, host and port."""
Opener = Callable[[str, int, Mapping[str, str]], "Body"]
"""What PyAV calls for every address: with the address, flags and options."""


class Body:
    """What a server sends, as it comes; reading only, so nothing is asked for twice.

    Args:
        response: opened for reading.
    """

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, as soon as there are some."""
        return self._response.read1(size)

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


class _StayHome(HTTPRedirectHandler):
    """Follows redirections within a protocol, host and port."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _check(newurl, self.home)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opener_for(url: str, timeout_seconds: float) -> Opener:
    """Make an opener that follows neither playlists nor redirections to another host, port or protocol.

    Args:
        url: the source, http or https; what it names must lie at its protocol, host and port.
        timeout_seconds: how long a read waits for data.
    """
    home = _home(url)

    opener = build_opener(_StayHome(home))

    def open_url(asked: str, flags: int, options: Mapping[str, str]) -> Body:
        """Open an address of the source's own host."""
        _check(asked, home)
        try:
            return Body(cast(HTTPResponse, opener.open(_request(asked, url), timeout=timeout_seconds)))
        except HTTPError as error:
            reason = f"the server answers {error.code}"
        except URLError as error:
            reason = str(error.reason)
        raise OSError(reason)

    return open_url


def _request(asked: str, source: str) -> Request:
    """Ask for an address with the user and password of the source."""
    parts, own = urlsplit(asked), urlsplit(source)
    request = Request(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))
    if own.username is not None:
        login = f"{unquote(own.username)}:{unquote(own.password or '')}"
        request.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    return request


def _home(url: str) -> Home:
    """Protocol, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _check(url: str, home: Home) -> None:
    """Refuse an address elsewhere.

    Raises:
        DataError: if protocol, host or port differ.
    """
    if _home(url) != home:
        protocol, host, port = home
        raise DataError(
            f"{redact(url)} is not on {protocol}://{host}:{port}, where the source is.",
            "set same_host to false if you trust what the source names",
        )
