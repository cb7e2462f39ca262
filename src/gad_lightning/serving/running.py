"""Runs a server until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gad_lightning.errors import GadError, SettingError
from gad_lightning.serving.app import Server

STOP_SECONDS = 10
"""That requests have to end in when the server stops."""
PING_SECONDS = 20.0
"""How often a client of a stream is asked whether it is there, and how long it has to answer."""
MOST_HEAD = 16 * 1024
"""Bytes of a request's head."""


def protocol_of(start_seconds: float) -> type[H11Protocol]:
    """The HTTP protocol, for connections whose first request must have come within a time: others are closed.

    Args:
        start_seconds: that time.
    """

    class InTime(H11Protocol):
        """Closes a connection that says nothing, or says it too slowly."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
            """Begin with a first request."""
            super().connection_made(transport)
            self.loop.call_later(start_seconds, self.close_if_silent, None)

        def on_response_complete(self) -> None:
            """Go on with a further request."""
            super().on_response_complete()
            self.loop.call_later(start_seconds, self.close_if_silent, self.cycle)

        def close_if_silent(self, cycle: RequestResponseCycle | None) -> None:
            """Close if no request came after an answered one; what became a WebSocket has its own rules."""
            if self.cycle is cycle and self.transport.get_protocol() is self:
                self.transport.close()

    return InTime


class _FewPongs(WebSocketsSansIOProtocol):
    """Answers no pings of a client that does not read the answers: they would wait in memory, without a bound."""

    def handle_ping(self) -> None:
        """Answer a ping, if the client takes what it is sent; RFC 6455, section 5.5.3 lets pings go by."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # taken, and left


class _Announced(uvicorn.Server):
    """Says where it listens."""

    def __init__(self, config: uvicorn.Config, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self.say = say

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self.say(f"serving at http://{shown}:{port}, streams at ws://{shown}:{port}/stream; Ctrl-C ends it")


def run_server(server: Server, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        server: what is served.
        host: address to listen at.
        port: 0 for any that is free.
        say: is told the address once the server listens.

    Raises:
        SettingError: if it cannot listen there.
        CheckpointError: if streams were kept that do not fit.
        GadError: if the labeling failed.
    """
    config = uvicorn.Config(
        server.guard,
        host=host,
        port=port,
        http=protocol_of(server.limits.start_seconds),
        ws=_FewPongs,
        ws_max_size=int(server.limits.frame_kb * 1024),
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=MOST_HEAD,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        proxy_headers=False,
        access_log=False,
        log_level=logging.WARNING,
        lifespan="on",
    )
    running = _Announced(config, say)

    def give_up() -> None:
        running.should_exit = True

    server.give_up = give_up
    server.take_up()
    try:
        running.run()
    except SystemExit as error:
        raise SettingError(f"The server cannot listen at {host}:{port}.", "choose another --port or --host") from error
    if server.batcher.failed:
        raise GadError("The labeling failed, and the server has stopped.", "see the error in the log above")
