"""What the doors of this package are given, in one frozen value; `service.app` builds it once.

Owns:    `IdpDeps`. Leaves every object in it to whom it comes from.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import httpx

from idp.assurance import MappingTable, load_table
from idp.config import IdpConfig
from idp.login import LoginPolicy
from idp.ports import AuditTrail, Clock, JwtKeys, Notifier, PageRenderer, PermitChecks, PersonalDataCipher
from idp.proof.dpop import DpopNonces
from idp.store import Store
from idp.tokens.access_tokens import AccessTokens
from idp.upstream import Connector


@dataclass(frozen=True)
class IdpDeps:
    """The parts that the provider runs on."""

    config: IdpConfig
    store: Store
    connectors: Mapping[str, Connector]
    """By name, the ones that are connected in this installation."""
    permit_checks: PermitChecks | None
    """None when no permit check is connected: its evidence cannot be had then, and says so."""
    permit_keys: JwtKeys | None
    """The ring whose published keys verify permit attestations."""
    token_keys: JwtKeys
    cipher: PersonalDataCipher
    audit: AuditTrail
    clock: Clock
    render: PageRenderer
    http: httpx.AsyncClient
    """Outbound: logout tokens to relying parties."""
    notifier: Notifier | None = None
    """Tells a person that a portal's backend waits for them (CIBA); None = the account page alone shows it."""
    table: MappingTable = field(default_factory=load_table)
    logout_bell: asyncio.Event = field(default_factory=asyncio.Event)
    """Rung when a logout notice was kept, so that it is delivered at once."""

    @cached_property
    def access_tokens(self) -> AccessTokens:
        """The mint of access tokens."""
        return AccessTokens(self.token_keys, self.cipher, self.config)

    @cached_property
    def dpop_nonces(self) -> DpopNonces | None:
        """The server's nonces for DPoP proofs, where this installation asks for them."""
        if not self.config.dpop_nonces:
            return None
        return DpopNonces(self.cipher.lookup("key", purpose="idp.dpop_nonce").encode("ascii"))

    @cached_property
    def policy(self) -> LoginPolicy:
        """What every login of this installation knows."""
        return LoginPolicy(
            connectors=frozenset(self.connectors),
            table=self.table,
            permit_connected=self.permit_checks is not None and self.permit_keys is not None,
            permit_evidence_lifetime=self.config.permit_evidence_lifetime,
        )
