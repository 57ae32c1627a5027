"""Mutual TLS over a real proxy: Debian's nginx ends TLS, real clients show real certificates, their tokens are bound to them."""

import base64
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey

from tests.idp.foreign.nginx import needed, nginx
from tests.idp.foreign.node_party import needs, run
from tests.support.client_certificates import ClientAuthority, common_name, escaped_pem, self_signed
from tests.support.idp import Client
from tests.support.idp_client import answer
from tests.support.served_provider import ServedProvider, free_port, pem, served_in
from trust_lists.clock import utc_now

pytestmark = needed
SUBJECT = "CN=bank.test,O=Sample Bank,C=CN"
CLIENT_CA = ClientAuthority(utc_now())
BOUND = {"tls_client_certificate_bound_access_tokens": True}
BY_CA = {"tls_client_auth_subject_dn": SUBJECT, **BOUND}


@dataclass
class Holder:
    """Who holds a certificate and its key, in files."""

    certificate: x509.Certificate
    pem: Path
    key: Path

    @property
    def thumbprint(self) -> str:
        der = self.certificate.public_bytes(Encoding.DER)
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def holder(folder: Path, name: str, issue: Callable[[ec.EllipticCurvePrivateKey], x509.Certificate]) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    made = Holder(issue(key), folder / f"{name}.pem", folder / f"{name}.key")
    made.pem.write_bytes(made.certificate.public_bytes(Encoding.PEM))
    made.key.write_bytes(pem(key))
    return made


def by_ca(folder: Path, subject: str = SUBJECT, authority: ClientAuthority = CLIENT_CA) -> Holder:
    return holder(folder, "client", lambda key: authority.issue(subject, key=key))


def by_itself(folder: Path, name: str = "self") -> Holder:
    return holder(folder, name, lambda key: self_signed(key, at=utc_now()))


def jwks_of(made: Holder) -> dict[str, Any]:
    return {"keys": [ECKey.import_key(made.key.read_bytes()).as_dict(private=False)]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProvider]:
    port = free_port()
    mutual_tls = {
        "mtls_base": f"https://127.0.0.1:{port}",  # RFC 8705 cl. 5: another name of the same proxy
        "mtls_header": "x-ssl-client-cert",
        "mtls_trusted_proxies": ("127.0.0.1/32",),
        "mtls_anchors": CLIENT_CA.pem,
    }
    folder = tmp_path_factory.mktemp("nginx")
    with served_in(folder, front=port, **mutual_tls) as made, nginx(made, folder):
        yield made


def register(served: ServedProvider, method: str, **members: Any) -> Client:
    return served.register(Client(client_id=f"tls-{method[:4]}", auth=method, extra=members))


def client_of(served: ServedProvider, shows: Holder | None) -> httpx.Client:
    """An HTTPS client that shows a certificate, or none."""
    context = served.tls.client_context() if shows is None else served.tls.client_context(shows.pem, shows.key)
    return httpx.Client(verify=context, base_url=served.issuer)


def code(served: ServedProvider, client: Client) -> str:
    with served.person() as person:
        location = person.sign_in(client.url(), until=client.redirect_uri)
    return answer(httpx.Response(303, headers={"location": location}))["code"]


def form(client: Client, code: str) -> dict[str, str]:
    return {**client.token_form(code), "client_id": client.client_id}


def redeem(served: ServedProvider, client: Client, shows: Holder | None, **headers: str) -> httpx.Response:
    with client_of(served, shows) as http:
        return http.post("/token", data=form(client, code(served, client)), headers=headers)


def userinfo(served: ServedProvider, token: str, shows: Holder | None, **headers: str) -> httpx.Response:
    with client_of(served, shows) as http:
        return http.get("/userinfo", headers={"Authorization": f"Bearer {token}", **headers})


def check_bound(served: ServedProvider, client: Client, own: Holder, folder: Path) -> None:
    """The token is bound to the certificate: good with it, and with nothing else."""
    response = redeem(served, client, own)
    assert response.status_code == 200, response.text
    token = response.json()["access_token"]
    verified = served.call(_introspected(served, token))
    assert verified["x5t#S256"] == own.thumbprint
    assert userinfo(served, token, own).json()["sub"]
    for stranger in (None, by_itself(folder, "stranger")):
        refused = userinfo(served, token, stranger)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


async def _introspected(served: ServedProvider, token: str) -> dict[str, Any]:
    return dict(served.provider.deps.access_tokens.verify(token, at=served.provider.now).cnf)


def test_tls_client_auth(served: ServedProvider, tmp_path: Path) -> None:
    own = by_ca(tmp_path)
    check_bound(served, register(served, "tls_client_auth", **BY_CA), own, tmp_path)


def test_self_signed_tls_client_auth(served: ServedProvider, tmp_path: Path) -> None:
    own = by_itself(tmp_path)
    client = register(served, "self_signed_tls_client_auth", jwks=jwks_of(own), **BOUND)
    check_bound(served, client, own, tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl not installed")
def test_curl_authenticates_with_its_certificate(served: ServedProvider, tmp_path: Path) -> None:
    own = by_ca(tmp_path)
    client = register(served, "tls_client_auth", **BY_CA)
    fields = [
        part for pair in form(client, code(served, client)).items() for part in ("--data-urlencode", "=".join(pair))
    ]
    files = ["--cacert", served.tls.ca, "--cert", own.pem, "--key", own.key]
    done = subprocess.run(
        ["curl", "-sS", "-w", "%{http_code}", "-o", tmp_path / "out", *files, *fields, f"{served.issuer}/token"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == "200", (tmp_path / "out").read_text()


@needs("openid-client")
def test_openid_client_by_fapi2_with_certificates(served: ServedProvider, tmp_path: Path) -> None:
    """The certified library at the aliases of RFC 8705 cl. 5: PAR, token, userinfo, introspection, all with its certificate."""
    own = by_ca(tmp_path)
    client = register(served, "tls_client_auth", gba_profile="fapi2", **BY_CA)
    files = {"ca": str(served.tls.ca), "cert": str(own.pem), "key": str(own.key)}
    result = run("fapi2_mutual_tls", served, client, tls=files)
    assert result["metadata"]["mtls_endpoint_aliases"]["token_endpoint"].startswith("https://127.0.0.1:")
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["introspection"]["cnf"] == {"x5t#S256": own.thumbprint}
    assert result["stolen"] == 401


def refused(response: httpx.Response) -> bool:
    return (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_without_a_certificate_is_refused(served: ServedProvider, tmp_path: Path) -> None:
    assert refused(redeem(served, register(served, "tls_client_auth", **BY_CA), None))
    own = by_itself(tmp_path)
    assert refused(redeem(served, register(served, "self_signed_tls_client_auth", jwks=jwks_of(own), **BOUND), None))


def test_another_certificate_is_refused(served: ServedProvider, tmp_path: Path) -> None:
    client = register(served, "tls_client_auth", **BY_CA)
    impostor = ClientAuthority(utc_now(), common_name("Client CA"))  # the same name, another key
    strangers = [
        by_ca(tmp_path, "CN=other.test,O=Sample Bank,C=CN"),
        by_ca(tmp_path, authority=impostor),
        by_itself(tmp_path),
    ]
    for stranger in strangers:
        assert refused(redeem(served, client, stranger))
    client = register(served, "self_signed_tls_client_auth", jwks=jwks_of(by_itself(tmp_path)), **BOUND)
    assert refused(redeem(served, client, by_itself(tmp_path, "another")))


def test_a_forged_header_from_outside_is_stripped(served: ServedProvider, tmp_path: Path) -> None:
    client, own = register(served, "tls_client_auth", **BY_CA), by_ca(tmp_path)
    forged = {"X-SSL-Client-Cert": escaped_pem(own.certificate)}
    assert refused(redeem(served, client, None, **forged))
    assert refused(redeem(served, client, by_itself(tmp_path), **forged))
    token = redeem(served, client, own, **{"X-SSL-Client-Cert": "nonsense"}).json()["access_token"]
    assert userinfo(served, token, None, **forged).status_code == 401


def past_the_proxy(served: ServedProvider, client: Client, own: Holder, *, source: str) -> httpx.Response:
    """Speak to the provider's own port, from an address of this machine."""
    headers = {"X-SSL-Client-Cert": escaped_pem(own.certificate)}
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{served.port}", headers=headers) as http:
        return http.post("/token", data=form(client, code(served, client)))


def test_the_header_of_an_untrusted_peer_is_as_if_not_there(served: ServedProvider, tmp_path: Path) -> None:
    client, own = register(served, "tls_client_auth", **BY_CA), by_ca(tmp_path)
    assert refused(past_the_proxy(served, client, own, source="127.0.0.2"))
    assert past_the_proxy(served, client, own, source="127.0.0.1").status_code == 200  # so it was the address
