"""The words between the broker and an upstream identity provider, and the Protocol that every connector keeps.

Owns:    what an upstream may tell us (`UpstreamAssertion`), and the three calls by which the broker asks.
Leaves:  the wire to `connectors/*`; what an assertion is worth to `assurance`; who it is to `identity`.
Rules:   1 a connector returns an assertion only after it has verified everything its wire lets it verify
         2 level and method are the upstream's own facts, kept apart; a connector never translates them to our levels
         3 a connector raises `idp.errors.UpstreamError` and nothing else, whatever the bytes
         4 what the upstream did not say is the empty string, never a guess
Spec:    upstream facts as listed in docs/divergences.md; words of OpenID Connect Core 1.0 cl. 1.2 where one fits
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.routing import BaseRoute

from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class UpstreamIdentity:
    """The natural person as the upstream describes them. Personal data: sealed at rest, never logged."""

    name_latin: str
    """As the upstream writes it, for example `CHAN, Ka Yan`."""
    name_chinese: str
    birthdate: str
    """`YYYY`, `YYYYMM` or `YYYYMMDD`: some identity cards know only the year."""
    gender: str
    """`M`, `F` or empty."""
    document_type: str
    """`hkid`, `mo_bir`, `cn_resident_id`, … or empty."""
    document_number: str
    """Home identity document, normalised without brackets, or empty."""


@dataclass(frozen=True, slots=True)
class UpstreamAssertion:
    """One verified statement of an upstream: who signed in, how the account was proved, how they signed in now."""

    connector: str
    region: Region
    trust_framework: str
    """`hk_iam_smart`, `mo_one_account`, `cn_gd_unified_identity`."""
    subject: str
    """The upstream's own identifier, opaque to us, byte for byte as received."""
    account_level: str
    """How the account was proved, in the upstream's word: iAM Smart userType (`sign`, …), Guangdong `L0`…`L3`, Macao `face`/`pwd`."""
    session_method: str
    """How the person signed in now. iAM Smart: `fido_app`, `fido_app_fr`, `fido_app_nfc`; Guangdong: `password`, `sms`, `face`,
    `certificate`; Macao: `pwd`, `otp`, `face`, `eid`. `assurance_mapping.json` names the same words."""
    amr: tuple[str, ...]
    """RFC 8176 values where one fits."""
    authenticated_at: datetime
    identity: UpstreamIdentity
    signer: str | None
    """Handle for `signing.remote_signing.RemoteSigner`, for example `iam_smart:…`; None when this account cannot sign."""


@dataclass(frozen=True, slots=True)
class UpstreamRedirect:
    """Where the browser goes to sign in."""

    url: str


@dataclass(frozen=True, slots=True)
class PendingAssertion:
    """The upstream has the person, its answer comes later by a server callback; ask again with `reference` until `deadline`."""

    reference: str
    deadline: datetime


class Connector(Protocol):
    """One upstream identity provider."""

    name: str
    """The word in `/callback/{connector}` and in the `connector=` hint: `iam_smart`, `macao_one`, `guangdong`."""
    region: Region
    display_names: Mapping[str, str]
    """The provider's name by locale (`zh-Hant`, `zh-Hans`, `pt`, `en`); its own-language name under `native`."""

    async def begin(self, transaction: str, *, state: str, locale: str) -> UpstreamRedirect:
        """Start a login.

        Args:
            transaction: the login transaction (opaque, public: also the audit correlation).
            state: at most 36 characters of `[A-Za-z0-9_-]`, fresh for this attempt.
            locale: one of `zh-Hant`, `zh-Hans`, `pt`, `en`.

        Raises:
            UpstreamError: the upstream is down, or refuses to start.
        """
        ...

    async def exchange(self, transaction: str, *, query: str, state: str) -> UpstreamAssertion | PendingAssertion:
        """Take the browser's return and ask the upstream who came.

        Args:
            transaction: as given to `begin`.
            query: the raw query string of the front-channel callback, not decoded.
            state: the state given to `begin`; where the wire carries one, a connector must refuse any other.

        Raises:
            UpstreamError: the person declined, the answer is not genuine, or the upstream failed.
        """
        ...

    async def collect(self, reference: str) -> UpstreamAssertion | PendingAssertion:
        """Ask whether the late answer has come.

        Raises:
            UpstreamError: as `exchange`; also when the reference is unknown or past its deadline.
        """
        ...

    def logout_url(self, *, return_to: str) -> str | None:
        """Return where a browser ends its session at this provider and comes back from; None when there is no such place."""
        ...

    def routes(self) -> Sequence[BaseRoute]:
        """Return the server-to-server callbacks of this wire, for example `POST /callback/iam_smart/profile`."""
        ...
