"""The Node process that is the relying party: started for one case, told what it needs, answered when it asks for the person."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.idp import Client
from tests.support.served_provider import Person, ServedProvider

FOLDER = Path(__file__).parent / "node"
NODE = shutil.which("node")
DEADLINE_S = 60.0


def has_package(name: str) -> bool:
    return (FOLDER / "node_modules" / name / "package.json").exists()


def needs(package: str) -> pytest.MarkDecorator:
    """Skip where Node or the package is not."""
    missing = "node" if NODE is None else f"npm {package}"
    return pytest.mark.skipif(NODE is None or not has_package(package), reason=f"{missing} not installed")


class Refused(AssertionError):
    """The library ended with an error."""


def run(
    case: str, served: ServedProvider, client: Client, person: Person | None = None, **given: Any
) -> dict[str, Any]:
    """Run one case to its end; return its result."""
    told = {
        "case": case,
        "issuer": served.issuer,
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": "openid profile",
        "secret": client.secret,
        "method": client.auth,
        "key": {**client.key.as_dict(private=True), "alg": client.algorithm}
        if client.auth == "private_key_jwt"
        else None,
        **given,
    }
    with person or served.person() as someone, _process(served) as process:
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            return _converse(process, told, served, client, someone)
        finally:
            watchdog.cancel()
            process.kill()


def _process(served: ServedProvider) -> "subprocess.Popen[str]":
    environment = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(served.tls.ca)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [str(NODE), "relying_party.mjs"], cwd=FOLDER, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )


def _converse(
    process: "subprocess.Popen[str]", told: dict[str, Any], served: ServedProvider, client: Client, person: Person
) -> dict[str, Any]:
    def tell(message: dict[str, Any]) -> None:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()

    tell(told)
    for line in process.stdout:
        message = json.loads(line)
        if "result" in message:
            return message["result"]
        if "error" in message:
            raise Refused(message["error"])
        tell({"answer": _answer(message, served, client, person)})
    raise AssertionError(f"the relying party ended without a word: {process.stderr.read()}")


def _answer(message: dict[str, Any], served: ServedProvider, client: Client, person: Person) -> str:
    """What the person does."""
    portal = "{0.scheme}://{0.netloc}/".format(urlsplit(client.redirect_uri))
    if message["ask"] in {"login", "logout"}:
        return person.sign_in(message["url"], until=portal)
    if message["ask"] == "device":
        assert message["verification_uri"] == f"{served.issuer}/device"
        page = person.enter_device_code(message["user_code"])
    else:  # the notice of a back-channel request reaches the person's phone
        identifier = served.provider.trail.last("backchannel.authentication_opened").correlation
        page = person.open(f"{served.issuer}/approve/{identifier}")
    assert page.status_code == 200, page.text
    return page.text
