"""A provider on a port of this machine, for a real browser; its upstream peer on another. Both live in one thread of their own."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from service.page_renderer import static_routes
from tests.support.idp import ROOT, Provider

T = TypeVar("T")


class Site:
    """The provider and its peer, serving."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sockets = [socket.socket(), socket.socket()]
        for one in self._sockets:
            one.bind(("127.0.0.1", 0))
        self.url, upstream = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets)
        self._upstream = upstream
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.provider = Provider(self._folder, loopback=True, issuer=self.url, upstream=self._upstream)
        static = static_routes({name: ROOT / name for name in ("service", "idp")})
        apps = (Starlette(routes=[*static, Mount("/", self.provider.app)]), self.provider.peer.app())
        self._servers = [uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")) for app in apps]
        serving = [
            asyncio.create_task(server.serve(sockets=[one]))
            for server, one in zip(self._servers, self._sockets, strict=True)
        ]
        while not all(server.started for server in self._servers):
            await asyncio.sleep(0.01)
        self._ready.set()
        await asyncio.gather(*serving)
        await self.provider.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the provider's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        for server in self._servers:
            server.should_exit = True
        self._thread.join(10)
        for one in self._sockets:
            one.close()
