"""Who may ask: the token, the host and the origin of a request; and what every answer carries."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gad_lightning.serving.messages import BadMessage, Value

OPEN = {"/", "/page.css", "/page.js", "/health", "/ready", "/openapi.json"}
"""Paths that need no token: they tell nothing of streams, videos and classes."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}
NAMES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own.

    Example:
        >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(error: BadMessage) -> JSONResponse:
    """An answer that says what is wrong; the code of the error is its status."""
    told: dict[str, Value] = {"why": error.message, "remedy": error.remedy}
    headers = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "10"}}.get(error.code)
    return JSONResponse({"error": told}, error.code, headers)


class Guard:
    """Lets requests pass that may, and adds what keeps browsers safe to every answer.

    Args:
        app: what is guarded.
        token: that has to be sent; empty for none.
        hosts: names of this server that a request may have, beside this machine's own; None for any.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str] | None) -> None:
        self.app, self.token = app, token
        self.hosts = None if hosts is None else {name.lower() for name in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
        except BadMessage as error:
            await refusal(error)(scope, receive, safely)
            return
        await self.app(scope, receive, safely)

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Refuse a request of another site, under another name, or without the token.

        Raises:
            BadMessage: if it is one.
        """
        host = headers.get("host", "").lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self.hosts is not None and name not in self.hosts and not is_loopback(name.strip("[]")):
            raise BadMessage("The server does not go by that name.", "start it with --hosts and the name", 403)
        origin = headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            raise BadMessage("Pages of other sites may not ask.", "open the server's own page", 403)
        if scope["type"] == "http" and scope["path"] not in OPEN and not self.knows(headers):
            raise BadMessage("The token is missing or wrong.", "send Authorization: Bearer TOKEN", 401)

    def knows(self, headers: Mapping[str, str], token: str = "") -> bool:
        """Whether a request has the token, in its headers or as given."""
        sent = token or headers.get("authorization", "").removeprefix("Bearer ")
        return not self.token or hmac.compare_digest(sent.encode(errors="replace"), self.token.encode())
