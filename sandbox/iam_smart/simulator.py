"""The simulated iAM Smart, joined: one object, its routes, its end.

Owns:    `IamSmartSimulator`, `build_iam_smart_routes`. Leaves every rule to the parts.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.iam_smart import faults, pages
from sandbox.iam_smart.api import IamSmartApi
from sandbox.iam_smart.approvals import PATIENCE, Approval, ApprovalDesk, SigningKeys
from sandbox.iam_smart.courier import Courier, Delivery
from sandbox.iam_smart.holders import load_pairwise_key
from sandbox.iam_smart.ledger import Ledger
from sandbox.iam_smart.login import LoginPage
from sandbox.iam_smart.phone import PhonePage
from sandbox.iam_smart.registry import ALL_SCOPES, Registry, RelyingParty
from sandbox.iam_smart.wire import KekPadding
from sandbox.state import SandboxState
from trust_lists.clock import Clock

BASE_PATH = "/iam-smart"
SLOW_S = 30.0


class IamSmartSimulator:
    """One simulated iAM Smart; build it, mount its routes, and `close` it (or use `running`) when the app ends."""

    def __init__(
        self,
        directory: Path,
        base_url: str,
        clock: Clock,
        state: SandboxState,
        signing_keys: SigningKeys,
        *,
        http: httpx.AsyncClient | None = None,
        slow_s: float = SLOW_S,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Join the parts.

        Args:
            directory: the simulator's own folder (relying parties, pairwise key).
            base_url: the sandbox's address, for example `http://127.0.0.1:8100`.
            clock: time.
            state: the sandbox's switches; the simulator's faults are offered in it.
            signing_keys: the persons' signing keys.
            http: client for callbacks; made and closed here when None.
            slow_s: how long the fault `slow` holds an answer back, in seconds.
            patience: how long a request waits on the phone.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.api_url = f"{base_url}{BASE_PATH}/api/v1"
        self.state = state
        self._own_http = http is None
        self._http = http or httpx.AsyncClient(trust_env=False)
        self._registry = Registry(directory)
        self._ledger = Ledger()
        self._courier = Courier(self._http, self._ledger, state, clock)
        self.desk = ApprovalDesk(self._courier, state, clock, signing_keys, patience=patience)
        self.login = LoginPage(registry=self._registry, ledger=self._ledger, state=state, clock=clock)
        self.phone = PhonePage(self.desk, state)
        self.api = IamSmartApi(
            registry=self._registry,
            ledger=self._ledger,
            desk=self.desk,
            state=state,
            clock=clock,
            pairwise_key=load_pairwise_key(directory),
            slow_s=slow_s,
        )
        state.offer_faults(faults.CONNECTOR, faults.CATALOGUE)

    def register_relying_party(
        self,
        client_id: str,
        client_secret: str,
        kek_certificate_der: bytes,
        redirect_uris: tuple[str, ...],
        callback_urls: Mapping[str, str],
        *,
        padding: KekPadding = KekPadding.PKCS1V15,
        scopes: frozenset[str] = ALL_SCOPES,
        callback_key_as_base64: bool = True,
    ) -> RelyingParty:
        """Register an online service as its owner would on the self-service portal.

        Raises:
            RegistryBroken: the encipherment certificate is not RSA.
        """
        party = RelyingParty(
            client_id=client_id,
            client_secret=client_secret,
            kek_certificate=kek_certificate_der,
            redirect_uris=redirect_uris,
            callback_urls=dict(callback_urls),
            scopes=scopes,
            padding=padding,
            callback_key_as_base64=callback_key_as_base64,
        )
        self._registry.register(party)
        return party

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """The requests on the phone, newest first."""
        return self.desk.listing()

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The latest callbacks as they ended, oldest first."""
        return tuple(self._courier.deliveries)

    async def close(self) -> None:
        """End the background tasks and the connections."""
        await self.desk.close()
        if self._own_http:
            await self._http.aclose()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["IamSmartSimulator"]:
        """Hold the simulator for the life of the app."""
        try:
            yield self
        finally:
            await self.close()


def build_iam_smart_routes(simulator: IamSmartSimulator) -> list[BaseRoute]:
    """Return the simulator's routes under `/iam-smart`."""
    api = simulator.api

    async def get_qr(request: Request) -> Response:
        """Answer the browser at the broker page."""
        return await api.hold_up() or await simulator.login.show(request)

    async def press(request: Request) -> Response:
        """Take the broker page's button."""
        return await api.hold_up() or await simulator.login.press(request)

    async def style(request: Request) -> Response:
        """Serve the style sheet."""
        return pages.style()

    v1 = f"{BASE_PATH}/api/v1"
    return [
        Route(f"{v1}/auth/getQR", get_qr, methods=["GET"]),
        Route(f"{v1}/auth/getQR", press, methods=["POST"]),
        Route(f"{v1}/security/getKey", api.get_key, methods=["POST"]),
        Route(f"{v1}/security/revokeKey", api.revoke_key, methods=["POST"]),
        Route(f"{v1}/auth/getToken", api.endpoint(api.get_token), methods=["POST"]),
        Route(f"{v1}/account/auth/profile/initiateRequest", api.endpoint(api.initiate_profile), methods=["POST"]),
        Route(f"{v1}/account/signing/initiateRequest", api.endpoint(api.initiate_signing), methods=["POST"]),
        Route(f"{v1}/account/signing/ackResult", api.endpoint(api.acknowledge), methods=["POST"]),
        Route(f"{BASE_PATH}/phone", simulator.phone.show, methods=["GET"]),
        Route(f"{BASE_PATH}/phone/{{approval}}", simulator.phone.decide, methods=["POST"]),
        Route(f"{BASE_PATH}/style.css", style, methods=["GET"]),
    ]
