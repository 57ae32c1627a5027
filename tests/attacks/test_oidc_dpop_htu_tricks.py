"""URIs that look like the request's and are not: the `htu` of a proof must be this resource, in whatever spelling RFC 3986 allows."""

import pytest

from idp.config import IdpConfig
from idp.errors import InvalidDpopProof
from idp.proof.dpop import verify_proof
from tests.support.dpop import DpopKey
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
HOLDER = DpopKey()
TARGET = f"{ISSUER}/api/v1/signing"


@pytest.mark.parametrize(
    "htu",
    [
        # another host
        "https://evil.test/api/v1/signing", "https://login.test.evil.test/api/v1/signing", "https://evil.test/https://login.test/api/v1/signing",
        "https://login.test@evil.test/api/v1/signing", "https://evil.test#@login.test/api/v1/signing", "https://evil.test?@login.test/api/v1/signing",
        "https://evil.test\\@login.test/api/v1/signing", "https://login.test./api/v1/signing", "https://lоgin.test/api/v1/signing",
        "https://xn--lgin-6qc.test/api/v1/signing", "https://log%69n.test/api/v1/signing", "https://[::1]/api/v1/signing", "https:///api/v1/signing",
        "https://.login.test/api/v1/signing", "//login.test/api/v1/signing", "/api/v1/signing",
        # user
        "https://user@login.test/api/v1/signing", "https://user:pass@login.test/api/v1/signing", "https://@login.test/api/v1/signing",
        # scheme
        "http://login.test/api/v1/signing", "http://login.test:443/api/v1/signing", "ftp://login.test/api/v1/signing",
        "https:login.test/api/v1/signing", "javascript:https://login.test/api/v1/signing", "https:/login.test/api/v1/signing",
        # port
        "https://login.test:80/api/v1/signing", "https://login.test:8443/api/v1/signing", "https://login.test:0443/api/v1/signing",
        "https://login.test:443x/api/v1/signing", "https://login.test:+443/api/v1/signing", "https://login.test:65979/api/v1/signing",
        "https://login.test:４４３/api/v1/signing", "https://login.test:443:443/api/v1/signing",
        # path
        "https://login.test/API/v1/signing", "https://login.test/api/v1/signing/", "https://login.test//api/v1/signing",
        "https://login.test/api%2Fv1%2Fsigning", "https://login.test/api%2fv1/signing", "https://login.test/api/v1/signing%00",
        "https://login.test/x/../api/v1/signing", "https://login.test/./api/v1/signing", "https://login.test/x/%2e%2e/api/v1/signing",
        "https://login.test/%2E/api/v1/signing", "https://login.test/api/v1/signing%", "https://login.test/api/v1/signing%2",
        "https://login.test/api/v1/signing%zz", "https://login.test/api/v1/%2573igning", "https://login.test\\api\\v1\\signing",
        "https://login.test/api/v1\\signing", "https://login.test/api/v1/signing;x=1", "https://login.test/api/v1/signing%3Fx",
        "https://login.test/api/v1/signing%23x", "https://login.test/api/v1", "https://login.test", "https://login.test/api/v1/ѕigning",
        # characters
        " https://login.test/api/v1/signing", "https://login.test/api/v1/signing ", "https://login.test/api/v1/signing\n",
        "https://login.test/api/v1/signing\r\nX: y", "https://login.test\t/api/v1/signing", "https://login.test/api/v1/signing\x00", "",
        "https://login.test/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_another_resource(htu: str) -> None:
    proof = HOLDER.proof("POST", htu, at=AT)
    with pytest.raises(InvalidDpopProof):
        verify_proof([proof], method="POST", url=TARGET, at=AT, config=CONFIG)


@pytest.mark.parametrize("htu", [None, 5, True, ["https://login.test/api/v1/signing"], {"htu": TARGET}])
def test_no_uri_at_all(htu: object) -> None:
    proof = HOLDER.proof("POST", TARGET, at=AT, htu=htu)
    with pytest.raises(InvalidDpopProof):
        verify_proof([proof], method="POST", url=TARGET, at=AT, config=CONFIG)


@pytest.mark.parametrize(
    "htu",
    [
        TARGET, "HTTPS://Login.TEST/api/v1/signing", "https://login.test:443/api/v1/signing", "https://login.test:/api/v1/signing",
        "https://login.test/api/v1/sign%69ng", f"{TARGET}?document=1", f"{TARGET}#part", f"{TARGET}?x=/../#y",
    ],
)  # fmt: skip
def test_the_same_resource_in_another_spelling_is_taken(htu: str) -> None:
    """RFC 9449 cl. 4.3 (9): query and fragment do not count, and the conformance suite holds a server to it."""
    assert verify_proof([HOLDER.proof("POST", htu, at=AT)], method="POST", url=TARGET, at=AT, config=CONFIG)
