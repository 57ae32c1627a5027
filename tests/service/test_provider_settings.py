"""The provider's own settings: off until named, whole or refused at the start."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from idp.discovery import provider_metadata
from service.errors import SettingsRefused
from service.provider_settings import ProviderSettings, build_idp_config, read_provider_settings
from service.settings import load_settings
from tests.support.client_certificates import ClientAuthority

ISSUER = "https://login.test"


def build(**values: str):
    settings = read_provider_settings(values)
    return build_idp_config(settings, issuer=ISSUER, demo=False, rate_limits=True)


def test_nothing_is_believed_until_it_is_named() -> None:
    config = build()
    assert (config.mtls_header, config.mtls_anchors, config.dpop_nonces) == ("", b"", False)
    assert config.software_statement_issuers == ()
    document = provider_metadata(config)
    assert document["tls_client_certificate_bound_access_tokens"] is False
    assert "tls_client_auth" not in document["token_endpoint_auth_methods_supported"]
    assert "mtls_endpoint_aliases" not in document


def test_certificates_behind_a_named_proxy(tmp_path: Path) -> None:
    anchors = tmp_path / "anchors.pem"
    anchors.write_bytes(ClientAuthority(datetime(2026, 11, 25, tzinfo=UTC)).pem)
    config = build(
        MTLS_HEADER="x-ssl-client-cert",
        MTLS_TRUSTED_PROXIES="127.0.0.1/32, 10.0.0.0/8",
        MTLS_ANCHORS_FILE=str(anchors),
        MTLS_BASE_URL="https://mtls.login.test/",
    )
    assert config.mtls_trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    document = provider_metadata(config)
    assert "tls_client_auth" in document["token_endpoint_auth_methods_supported"]
    assert document["mtls_endpoint_aliases"]["token_endpoint"] == "https://mtls.login.test/token"


def test_software_statement_issuers_are_read_with_their_keys(tmp_path: Path) -> None:
    file = tmp_path / "issuers.json"
    key = ECKey.generate_key("P-256", {"kid": "s", "use": "sig"}).as_dict(private=False)
    file.write_text(json.dumps({"https://registry.test": {"keys": [key]}}))
    ((issuer, jwks),) = build(SOFTWARE_STATEMENT_ISSUERS_FILE=str(file)).software_statement_issuers
    assert issuer == "https://registry.test"
    assert json.loads(jwks)["keys"][0]["kid"] == "s"


@pytest.mark.parametrize(
    "values",
    [
        {"MTLS_HEADER": "x-forwarded-cert", "MTLS_TRUSTED_PROXIES": "10.0.0.0/8"},
        {"MTLS_HEADER": "client-cert"},
        {"MTLS_HEADER": "client-cert", "MTLS_TRUSTED_PROXIES": "everybody"},
        {"DPOP_NONCES": "perhaps"},
        {"MTLS_ANCHORS_FILE": "/nowhere/anchors.pem"},
        {"SOFTWARE_STATEMENT_ISSUERS_FILE": "/nowhere/issuers.json"},
    ],
)
def test_what_does_not_fit_stops_the_start(values: dict[str, str]) -> None:
    with pytest.raises(SettingsRefused):
        build(**values)


def test_files_of_other_content_stop_the_start(tmp_path: Path) -> None:
    for content in ("[]", "{", '{"https://registry.test": {"keys": [{"kty": "oct", "k": "AA"}]}}'):
        file = tmp_path / "issuers.json"
        file.write_text(content)
        with pytest.raises(SettingsRefused):
            build(SOFTWARE_STATEMENT_ISSUERS_FILE=str(file))
    junk = tmp_path / "anchors.pem"
    junk.write_text("no certificate")
    with pytest.raises(SettingsRefused):
        build(MTLS_ANCHORS_FILE=str(junk))


def test_the_service_reads_them(tmp_path: Path) -> None:
    environment = {"GBA_TRUST_MODE": "demo", "GBA_TRUST_DATA": str(tmp_path), "GBA_TRUST_DPOP_NONCES": "on"}
    assert load_settings(environment=environment).provider == ProviderSettings(dpop_nonces=True)
