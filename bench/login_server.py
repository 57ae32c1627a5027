"""The provider under `bench.login`: the real composition and the real server, with one upstream that signs persons in by itself.

    python -m bench.login_server --data FOLDER --port 8000 --core 0 --client-jwk client.json

Everything that a production request passes is passed: `service.app.create_app` (telemetry, error handlers, every route of the parts),
`service.server.serve` (uvicorn on a listening socket, operators' port beside it), the sealed key ring, the audit log on disk, the
instance lock. Two things differ: rate limits are off, and the connector answers for an upstream whose time is not ours.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch
from urllib.parse import parse_qs

from starlette.routing import BaseRoute

from idp.errors import UpstreamDenied
from idp.relying_parties import parse_registration
from idp.stores.choice import store_on
from idp.upstream import UpstreamAssertion, UpstreamIdentity, UpstreamRedirect
from service import app, server
from service.audit_file import create_audit_file
from service.database import upgrade_schema
from service.instance_lock import InstanceLock
from service.key_ring import KeyRing, load_key_encryption_key
from service.settings import Settings, load_settings
from service.sqlite_loop import LoopSqliteDatabase
from trust_lists.clock import utc_now
from trust_lists.vocabulary import Region

CLIENT_ID = "bench-portal"
REDIRECT_URI = "http://127.0.0.1:9/callback"
UPSTREAM = "http://upstream.invalid/sign-in"
PARTS = "idp,trust-lists"


class SelfSigningConnector:
    """An upstream that believes whoever comes: the code on the way back is the person's name there."""

    name = "iam_smart"  # a row of the assurance table, so that the level is worked out as for the real one
    region = Region.HK
    display_names: Mapping[str, str] = {"native": "智方便 iAM Smart"}

    async def begin(self, transaction: str, *, state: str, locale: str) -> UpstreamRedirect:
        return UpstreamRedirect(f"{UPSTREAM}?state={state}&lang={locale}")

    async def exchange(self, transaction: str, *, query: str, state: str) -> UpstreamAssertion:
        members = parse_qs(query)
        if members.get("state") != [state] or len(members.get("code", [])) != 1:
            raise UpstreamDenied
        return assertion_of(members["code"][0])

    async def collect(self, reference: str) -> UpstreamAssertion:
        raise UpstreamDenied

    def logout_url(self, *, return_to: str) -> str | None:
        return None

    def routes(self) -> Sequence[BaseRoute]:
        return []


def assertion_of(subject: str) -> UpstreamAssertion:
    """Return what the upstream tells of a synthetic person."""
    return UpstreamAssertion(
        connector="iam_smart",
        region=Region.HK,
        trust_framework="hk_iam_smart",
        subject=subject,
        account_level="sign",
        session_method="fido_app_fr",
        amr=("hwk", "face"),
        authenticated_at=datetime.now(UTC),
        identity=UpstreamIdentity(
            name_latin="CHAN, Ka Yan",
            name_chinese="陳嘉欣",
            birthdate="19900214",
            gender="F",
            document_type="hkid",
            document_number="A1234563",
        ),
        signer=None,
    )


def registration(jwk: Mapping[str, object]) -> dict[str, object]:
    return {
        "client_name": "Bench Portal",
        "client_name#zh-Hans": "基准门户",
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid profile",
        "gba_region": "gd",
        "gba_purpose": "Measurement",
        "jwks": {"keys": [dict(jwk)]},
    }


def settings_of(data: Path, issuer: str) -> Settings:
    """Return demo settings with every door that the parts need; nothing answers at the addresses, and nothing asks them in a login."""
    data.mkdir(parents=True, exist_ok=True)
    root, credentials = data / "trust-list-root.json", data / "credentials.json"
    for file in (root, credentials):
        file.write_text("{}")
    return load_settings(
        None,
        {
            "GBA_TRUST_MODE": "demo",
            "GBA_TRUST_DATA": str(data),
            "GBA_TRUST_ISSUER": issuer,
            "GBA_TRUST_TRUST_LIST_URL": "http://127.0.0.1:9/trust-list",
            "GBA_TRUST_TRUST_LIST_ROOT_FILE": str(root),
            "GBA_TRUST_TRUST_LIST_REFRESH_S": "86400",
            "GBA_TRUST_IAM_SMART_BASE_URL": "http://127.0.0.1:9",
            "GBA_TRUST_IAM_SMART_CREDENTIALS_FILE": str(credentials),
            "GBA_TRUST_IAM_SMART_CERTIFICATE_REPOSITORY_URL": "http://127.0.0.1:9",
            "GBA_TRUST_RATE_LIMITS": "off",
        },
    )


def prepare(settings: Settings, jwk: Mapping[str, object]) -> None:
    """Bring up the schema and register the portal."""
    upgrade_schema(settings.database_path)
    create_audit_file(settings.audit_path)
    kek = load_key_encryption_key(settings.key_encryption_key_file, create=True)
    cipher = KeyRing.open(settings.data / "keys", kek, at=utc_now()).personal_data_cipher()
    party = parse_registration(registration(jwk), client_id=CLIENT_ID)

    async def register() -> None:
        database = LoopSqliteDatabase(settings.database_path)
        await store_on(database, cipher).save_client(party, at=utc_now())
        await database.close()

    asyncio.run(register())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--client-jwk", type=Path, required=True)
    parser.add_argument("--parts", default=PARTS)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    if options.store == "postgres":
        raise SystemExit("--store postgres: the PostgreSQL store is not there yet")
    os.sched_setaffinity(0, {options.core})
    settings = settings_of(options.data, f"http://127.0.0.1:{options.port}")
    prepare(settings, json.loads(options.client_jwk.read_text()))
    connector = SelfSigningConnector()
    with InstanceLock(settings.data), patch.object(app, "_connectors", lambda _: ({connector.name: connector}, None)):
        public_socket = server.listen("127.0.0.1", options.port)
        management_socket = server.listen("127.0.0.1", options.port + 1)
        public, management = app.create_app(settings, frozenset(options.parts.split(",")))
        server.serve(public, public_socket, management, management_socket)


if __name__ == "__main__":
    main()
