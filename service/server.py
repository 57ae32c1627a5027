"""Serving: the public application and the operators' one, on two ports of one event loop, until told to stop.

Rules:   1 a taken port is one clear line, found before anything else starts
         2 SIGINT and SIGTERM end both; open requests are finished within `GRACE_SECONDS`
"""

import asyncio
import gc
import socket

import uvicorn
import uvloop
from starlette.types import ASGIApp

from service.bounded_http import BoundedHttp
from service.errors import ServiceUnavailable

GRACE_SECONDS = 5
MAX_BACKLOG = 512
GC_YOUNG = 20_000
"""Container objects between two rounds of the collector: a request makes hundreds, and almost none of them in cycles."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ServiceUnavailable: the port is taken or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by every connection: an answer's head and body leave at once, not after the caller's delayed acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(MAX_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServiceUnavailable(f"port {port} on {host} cannot be used: {error.strerror}; choose another") from error
    listener.setblocking(False)
    return listener


def serve(public: ASGIApp, public_socket: socket.socket, management: ASGIApp, management_socket: socket.socket) -> None:
    """Serve both applications until a signal; the public one's lifespan starts and stops what they share."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(public, public_socket, management, management_socket))


async def _serve(
    public: ASGIApp, public_socket: socket.socket, management: ASGIApp, management_socket: socket.socket
) -> None:
    main = _Server(_config(public, lifespan="on"))
    side = _Server(_config(management, lifespan="off"))
    side_task = asyncio.create_task(side.serve([management_socket]))
    try:
        await main.serve([public_socket])
    finally:
        side.should_exit = True
        await side_task
    if not main.started:
        raise ServiceUnavailable("the service could not start: see the log line above")


class _Server(uvicorn.Server):
    """Uvicorn's server; its `started` tells a start-up that failed from a stop that was asked for."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then take everything that lives as long as the process out of the garbage collector's rounds."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG, 20, 20)


def _config(app: ASGIApp, *, lifespan: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on" if lifespan == "on" else "off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        http=BoundedHttp,
        proxy_headers=False,
    )
