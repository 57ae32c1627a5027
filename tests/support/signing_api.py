"""The real signing API behind the provider's tokens, over HTTP: what a token is worth there, not what we believe it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from idp.authorisations import IdpAuthorisations
from service.problem_details import problem_of, write_problem
from signing.errors import SigningError
from signing.routes import build_routes
from tests.support.idp import Provider
from tests.support.idp_client import Client
from tests.support.signing_service import running

TRANSACTIONS = "/api/v1/signing/transactions"
CONTRACT = b"%PDF-1.7\n% the contract\n"


@dataclass
class SigningApi:
    """The API's door."""

    http: httpx.AsyncClient

    async def post(self, client: Client, token: str, document: bytes = CONTRACT, **more: str) -> httpx.Response:
        """Ask for a signature as this relying party does; `more` replaces headers."""
        headers = {**client.headers(TRANSACTIONS, access_token=token), **more}
        files = {"document": ("contract.pdf", document, "application/pdf")}
        data = {"document_name": "contract.pdf", "reason": "Mortgage", "level": "B-T"}
        return await self.http.post(TRANSACTIONS, data=data, files=files, headers=headers)


@asynccontextmanager
async def signing_api(provider: Provider, folder: Path) -> AsyncIterator[SigningApi]:
    async with running(folder) as service:
        doors = replace(service.doors, authorisations=IdpAuthorisations(provider.deps))
        app = Starlette(routes=build_routes(doors), exception_handlers={SigningError: _problem})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=provider.issuer) as http:
            yield SigningApi(http)


async def _problem(request: Request, error: Exception) -> Response:
    return write_problem(request, problem_of(error), error)
