"""Others accept what we make, and we judge what others make."""

import asyncio
import io
import shutil
import subprocess

import pytest
from asn1crypto import keys, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from sandbox.pki import KeyKind
from signing import cms
from signing.anchors import signer_anchors
from signing.certificates import parse_certificate
from signing.document import digest_parts, read
from signing.endesive_engine import EndesiveEngine
from signing.model import SignatureLevel
from signing.path import find_paths
from signing.pyhanko_engine import PyHankoEngine
from tests.support import pki
from tests.support.pki import AT
from tests.support.signing import judge, plain_pdf, sign_pdf

KINDS = [
    ("hk-rsa", None, False),
    ("hk-rsa", None, True),
    ("mo-p256", None, False),
    ("mo-p256", KeyKind.P384, False),
    ("mo-p256", KeyKind.ED25519, False),
]
ENGINES = [PyHankoEngine(), EndesiveEngine()]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} not installed")
    return path


def parts_of(signed: bytes) -> tuple[bytes, bytes, cms.ParsedSignedData]:
    """The CMS, the covered bytes and the parsed CMS of the last signature."""
    document = read(signed)
    last = document.signatures[-1]
    der = cms.unpadded(last.contents)
    return der, b"".join(digest_parts(signed, last.byte_range)), cms.parse_signed_data(der)


def root_pem(folder, authority: str):
    path = folder / f"{authority}.pem"
    der = pki.pki().authorities[authority].certificate
    from asn1crypto import pem

    path.write_bytes(pem.armor("CERTIFICATE", der))
    return path


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(("authority", "kind", "pss"), KINDS)
def test_pyhanko_accepts_what_we_make(engine, authority, kind, pss):
    signed = sign_pdf(held=pki.holder(authority, kind), level=SignatureLevel.B_T, engine=engine, pss=pss)
    trust = [x509.Certificate.load(item.certificate) for item in pki.pki().authorities.values()]
    context = ValidationContext(
        trust_roots=trust,
        moment=AT,
        best_signature_time=AT,
        crls=[item for item in pki.crls().crls if authority != "gd-sm2"],
        allow_fetching=False,
        revocation_mode="hard-fail",
    )
    signature = PdfFileReader(io.BytesIO(signed)).embedded_signatures[-1]
    status = asyncio.run(async_validate_pdf_signature(signature, context))
    assert status.bottom_line, status.summary()


@pytest.mark.parametrize(("authority", "kind", "pss"), KINDS[:4])
def test_openssl_cms_accepts_what_we_make(tmp_path, authority, kind, pss):
    signed = sign_pdf(held=pki.holder(authority, kind), pss=pss)
    der, covered, _ = parts_of(signed)
    (tmp_path / "s.der").write_bytes(der)
    (tmp_path / "s.dat").write_bytes(covered)
    command = [tool("openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "s.der", "-content",
               tmp_path / "s.dat", "-CAfile", root_pem(tmp_path, authority), "-purpose", "any", "-cades",
               "-attime", str(int(AT.timestamp())), "-out", "/dev/null"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "successful" in done.stderr, done.stderr


def test_openssl_ts_accepts_our_time_stamp(tmp_path):
    _, _, parsed = parts_of(sign_pdf(level=SignatureLevel.B_T))
    (tmp_path / "t.der").write_bytes(parsed.timestamps[0])
    (tmp_path / "v.bin").write_bytes(parsed.signature)
    command = [tool("openssl"), "ts", "-verify", "-token_in", "-in", tmp_path / "t.der", "-data", tmp_path / "v.bin",
               "-CAfile", root_pem(tmp_path, "tsa"), "-attime", str(int(AT.timestamp()))]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout, done.stderr


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(("authority", "kind", "pss"), KINDS[:4])
def test_pdfsig_accepts_what_we_make(tmp_path, engine, authority, kind, pss):
    path = tmp_path / "s.pdf"
    path.write_bytes(sign_pdf(held=pki.holder(authority, kind), level=SignatureLevel.B_T, engine=engine, pss=pss))
    done = subprocess.run([tool("pdfsig"), "-nocert", path], capture_output=True, text=True, check=False)
    assert "Signature is Valid" in done.stdout
    assert "Total document signed" in done.stdout


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_qpdf_finds_the_file_in_order(tmp_path, engine):
    path = tmp_path / "s.pdf"
    path.write_bytes(sign_pdf(sign_pdf(engine=engine), pki.holder("mo-p256")))
    done = subprocess.run([tool("qpdf"), "--check", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("authority", "kind", "pss"), KINDS)
def test_we_accept_what_pyhanko_makes(authority, kind, pss):
    held = pki.holder(authority, kind)
    store = SimpleCertificateStore()
    store.register(x509.Certificate.load(held.chain[0]))
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(held.certificate),
        signing_key=keys.PrivateKeyInfo.load(held.private_key.der),
        cert_registry=store,
        prefer_pss=pss,
    )
    metadata = signers.PdfSignatureMetadata(
        field_name="S", md_algorithm="sha256" if kind is not KeyKind.ED25519 else "sha512",
        subfilter=fields.SigSeedSubFilter.PADES,
    )  # fmt: skip
    writer = IncrementalPdfFileWriter(io.BytesIO(plain_pdf()))
    signed = signers.PdfSigner(metadata, signer).sign_pdf(writer).getvalue()
    report = judge(signed)
    assert report.indication.value == "TOTAL_PASSED", report.signatures[0].detail
    assert report.signatures[0].level is SignatureLevel.B_B


@pytest.mark.parametrize("authority", ["hk-rsa", "mo-p256", "gd-rsa"])
def test_our_path_is_the_path_that_certvalidator_finds(authority):
    held = pki.holder(authority)
    leaf = parse_certificate(held.certificate)
    ours = next(find_paths(leaf, [], signer_anchors(pki.roots())))
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(item.certificate) for item in pki.pki().authorities.values()],
        moment=AT,
        best_signature_time=AT,
        allow_fetching=False,
    )
    validator = CertificateValidator(x509.Certificate.load(held.certificate), validation_context=context)
    theirs = asyncio.run(validator.async_validate_usage({"non_repudiation"}))
    assert ours.anchor.certificate.subject == theirs.trust_anchor.authority.name.dump()
    assert len(ours.certificates) + 1 == len(list(theirs))
