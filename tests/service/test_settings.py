"""Nonsense stops the start; production refuses simulated parts."""

from pathlib import Path

import pytest

from service.errors import SettingsRefused
from service.settings import Mode, load_settings

PRODUCTION = {
    "GBA_TRUST_ISSUER": "https://id.example.org",
    "GBA_TRUST_KEY_ENCRYPTION_KEY_FILE": "/run/secrets/kek",
}


def test_production_is_the_default_and_wants_https() -> None:
    with pytest.raises(SettingsRefused, match="https"):
        load_settings(None, {})
    assert load_settings(None, PRODUCTION).mode is Mode.PRODUCTION


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("GBA_TRUST_ISUER", "https://x.example", "not a setting"),
        ("GBA_TRUST_MODE", "test", "demo or production"),
        ("GBA_TRUST_ISSUER", "https://user@x.example", "user information"),
        ("GBA_TRUST_ISSUER", "https://x.example/path", "origin"),
        ("GBA_TRUST_ISSUER", "ftp://x.example", "http or https"),
        ("GBA_TRUST_TRUST_LIST_REFRESH_S", "soon", "whole seconds"),
        ("GBA_TRUST_TRUST_LIST_REFRESH_S", "0", "at least 1"),
        ("GBA_TRUST_RATE_LIMITS", "maybe", "on or off"),
        ("GBA_TRUST_NOTIFIER_URL", "https://notices.example.hk/", "belong together"),
        ("GBA_TRUST_NOTIFIER_SECRET_FILE", "/x", "belong together"),
        ("GBA_TRUST_RATE_LIMITS", "off", "demo mode only"),
        ("GBA_TRUST_DATABASE_URL", "mysql://x", "sqlite"),
        ("GBA_TRUST_TRUST_LIST_URL", "https://127.0.0.1:8100/trust-list", "simulated"),
        ("GBA_TRUST_TRUST_LIST_URL", "https://localhost/trust-list", "simulated"),
        ("GBA_TRUST_TRUST_LIST_URL", "http://lists.example.org", "https in production"),
        ("GBA_TRUST_IAM_SMART_BASE_URL", "https://iam.example", "belong together"),
    ],
)
def test_what_production_refuses(name: str, value: str, what: str) -> None:
    with pytest.raises(SettingsRefused, match=what):
        load_settings(None, {**PRODUCTION, name: value})


def test_production_makes_no_secrets_of_its_own() -> None:
    with pytest.raises(SettingsRefused, match="KEY_ENCRYPTION_KEY_FILE"):
        load_settings(None, {"GBA_TRUST_ISSUER": "https://id.example.org"})


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text('GBA_TRUST_MODE = "demo"\nGBA_TRUST_ISSUER = "http://127.0.0.1:8000"\n')
    assert load_settings(file, {}).issuer == "http://127.0.0.1:8000"
    assert load_settings(file, {"GBA_TRUST_ISSUER": "http://127.0.0.1:9000"}).issuer == "http://127.0.0.1:9000"


@pytest.mark.parametrize("text", ["not toml [", '[section]\nGBA_TRUST_MODE = "demo"', 'OTHER = "x"'])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "service.toml"
    file.write_text(text)
    with pytest.raises(SettingsRefused):
        load_settings(file, {})


def test_the_key_password_is_not_a_setting_and_does_not_stop_the_start() -> None:
    assert load_settings(None, {**PRODUCTION, "GBA_TRUST_KEY_PASSWORD": "secret"}).mode is Mode.PRODUCTION
