"""Running the sandbox's application on its port until told to stop."""

import asyncio
from pathlib import Path

import uvicorn

from sandbox.app import create_sandbox
from sandbox.errand.context import Addresses
from sandbox.setup import management_url, prepare
from service.server import listen
from service.settings import load_settings
from service.telemetry import set_up_logging
from trust_lists.clock import utc_now


def serve_sandbox(data: Path, *, host: str, port: int, service_url: str) -> None:
    """Serve until a signal.

    Raises:
        ServiceUnavailable: the port is taken.
    """
    set_up_logging()
    listener = listen(host, port)
    base_url = f"http://{host}:{port}"
    if not (data / "service.toml").exists():
        prepare(data.absolute(), Addresses(service_url, management_url(service_url), base_url), at=utc_now())
    models = load_settings(data / "service.toml", {}).models
    application = create_sandbox(data.absolute(), base_url=base_url, service_url=service_url, models=models)
    config = uvicorn.Config(application, access_log=False, log_level="warning", timeout_graceful_shutdown=3)
    asyncio.run(uvicorn.Server(config).serve([listener]))
