"""The options of `gba-trust client add` and `update`: declared once, one row for a member.

Owns:    the table, and the way from options to a registration document. Leaves the acts to `cli`, what is acceptable to `relying_parties`.
Rules:   an option that is not given changes nothing; what has no option of its own comes with `--registration FILE`, under the options
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer


@dataclass(frozen=True, slots=True)
class MemberOption:
    """One option: the member that it sets, its flag, its help and its kind."""

    member: str
    flag: str
    help: str
    kind: Any = str

    @property
    def parameter(self) -> str:
        """The name under which Typer hands the value over."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def declaration(self) -> inspect.Parameter:
        """The parameter that Typer reads."""
        declared = f"{self.flag}/--no-{self.flag[2:]}" if self.kind is bool else self.flag
        option = typer.Option(None, declared, help=self.help)
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.parameter, kind, default=option, annotation=self.kind | None)

    def value(self, given: Any) -> object:  # noqa: ANN401 - whatever the option's kind gives
        """Turn what was typed into the member's value."""
        return _read_json(given) if self.kind is Path else given


OPTIONS: Final[tuple[MemberOption, ...]] = (
    MemberOption("client_name", "--name", "Name shown to people"),
    MemberOption("redirect_uris", "--redirect-uri", "Exact redirect URI; repeatable", list[str]),
    MemberOption(
        "token_endpoint_auth_method",
        "--auth",
        "private_key_jwt, client_secret_basic, client_secret_post, tls_client_auth, self_signed_tls_client_auth or none",
    ),
    MemberOption("jwks", "--jwks", "File with the public keys (JWK set)", Path),
    MemberOption("tls_client_auth_subject_dn", "--tls-subject-dn", "tls_client_auth: the certificate's subject"),
    MemberOption("tls_client_auth_san_dns", "--tls-san-dns", "tls_client_auth: the certificate's DNS name"),
    MemberOption("gba_region", "--region", "hk, mo or gd: where the portal's law is"),
    MemberOption("gba_profile", "--profile", "basic or fapi2"),
    MemberOption("grant_types", "--grant", "authorization_code, refresh_token, …; repeatable", list[str]),
    MemberOption("scope", "--scope", 'Space separated, for example "openid profile permit"'),
    MemberOption("post_logout_redirect_uris", "--post-logout-redirect-uri", "Repeatable", list[str]),
    MemberOption("backchannel_logout_uri", "--backchannel-logout-uri", "Where logout tokens are posted"),
    MemberOption("frontchannel_logout_uri", "--frontchannel-logout-uri", "Page that ends the portal's own session"),
    MemberOption("require_pushed_authorization_requests", "--require-par", "Only pushed requests (RFC 9126)", bool),
    MemberOption("require_signed_request_object", "--require-signed-request", "Only signed requests (RFC 9101)", bool),
    MemberOption("dpop_bound_access_tokens", "--dpop-bound", "Tokens bound to a DPoP key (RFC 9449)", bool),
    MemberOption(
        "tls_client_certificate_bound_access_tokens", "--mtls-bound", "Tokens bound to a certificate (RFC 8705)", bool
    ),
    MemberOption("id_token_signed_response_alg", "--id-token-alg", "ES256, RS256, PS256 or EdDSA"),
    MemberOption("subject_type", "--subject-type", "pairwise"),
    MemberOption("sector_identifier_uri", "--sector-identifier-uri", "Whose host is the sector of the subjects"),
    MemberOption("gba_purpose", "--purpose", "Why the portal asks; shown on the consent page"),
    MemberOption("application_type", "--application-type", "web or native"),
    MemberOption("gba_access_token_format", "--access-token-format", "jwt or opaque"),
    MemberOption("gba_delegates", "--delegate", "Client that may exchange this one's tokens; repeatable", list[str]),
)
_REGISTRATION: Final = MemberOption("", "--registration", "RFC 7591 document to start from; options go before it", Path)


def with_registration_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose `**options` take them, every option of the table in front of its own."""
    rows = (*OPTIONS, _REGISTRATION)
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    places = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    words = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
    declared = [*places, *(row.declaration for row in rows), *words]
    command.__signature__ = signature.replace(parameters=declared)  # type: ignore[attr-defined]  # inspect honours it
    return command


def registration_members(options: dict[str, Any]) -> dict[str, object]:
    """Return the registration that the options describe."""
    file = options.get(_REGISTRATION.parameter)
    start = {} if file is None else _read_json(file)
    given = {row: options.get(row.parameter) for row in OPTIONS}
    return {**start, **{row.member: row.value(typed) for row, typed in given.items() if typed not in (None, [])}}


def _read_json(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{path} cannot be read as JSON") from error
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{path} holds no JSON object")
    return document
