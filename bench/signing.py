"""CPU milliseconds of signing and judging, beside pyHanko tuned as the fact sheet says.

`.venv/bin/python -m bench.signing` prints the table; it asserts nothing.
"""

import asyncio
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asn1crypto import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore
from reportlab.pdfgen.canvas import Canvas

from sandbox.personas import PERSONAS
from sandbox.pki import KeyKind, build_pki
from signing.anchors import TrustedRoots
from signing.creation import SigningOptions, embed, prepare
from signing.endesive_engine import EndesiveEngine
from signing.model import Evidence, SignatureLevel
from signing.policy import DEFAULT
from signing.pyhanko_engine import PyHankoEngine
from signing.validation import validate

AT = datetime.now(UTC)


def pdf(size: int, pages: int = 1) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pageCompression=0)
    for page in range(pages):
        canvas.drawString(72, 720, f"page {page + 1}")
        for line in range(0, size // pages, 100):
            canvas.drawString(10, 10, os.urandom(35).hex() + str(line))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def best(work: Callable[[], object], rounds: int = 12) -> float:
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return 1000 * min(found)


class CachedKeySigner(signers.Signer):
    """pyHanko's signer with the key parsed once."""

    def __init__(self, certificate: bytes, key_der: bytes, chain: bytes) -> None:
        store = SimpleCertificateStore()
        store.register(x509.Certificate.load(chain))
        super().__init__(signing_cert=x509.Certificate.load(certificate), cert_registry=store)
        self._key = serialization.load_der_private_key(key_der, None)

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        return bytes(256) if dry_run else self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def main() -> None:
    pki = build_pki(Path(tempfile.mkdtemp()), "http://127.0.0.1:1", AT)
    roots = TrustedRoots(tuple(item.certificate for item in pki.authorities.values()))
    evidence = Evidence(crls=tuple(item.crl(AT) for item in pki.authorities.values()))
    held = {"RSA-2048": pki.issue("hk-rsa", PERSONAS["hk-resident"], at=AT),
            "P-256": pki.issue("hk-rsa", PERSONAS["hk-resident"], at=AT, key_kind=KeyKind.P256),
            "SM2": pki.issue("gd-sm2", PERSONAS["gd-resident"], at=AT)}  # fmt: skip
    context = ValidationContext(trust_roots=[x509.Certificate.load(roots.certificates[0])], moment=AT,
                                best_signature_time=AT, crls=[evidence.crls[0]], allow_fetching=False)  # fmt: skip
    print(f"{'':28}{'sign ours':>11}{'(endesive)':>11}{'sign pyHanko':>14}{'judge ours':>12}{'judge pyHanko':>15}")
    for title, document in (("33 KB", pdf(33_000)), ("6 MB, 100 pages", pdf(6_000_000, 100))):
        for name, key in held.items():

            def ours(engine: object, document: bytes = document, key=key) -> bytes:  # noqa: ANN001
                made = prepare(document, key.certificate, key.chain, SigningOptions(SignatureLevel.B_B), engine, AT)
                return embed(made, key.private_key.sign(made.attributes))

            signed = ours(PyHankoEngine())
            row = [best(lambda: ours(PyHankoEngine())), best(lambda: ours(EndesiveEngine())), float("nan"),
                   best(lambda signed=signed: validate(signed, evidence, roots, DEFAULT, AT)), float("nan")]  # fmt: skip
            if name == "RSA-2048":
                signer = CachedKeySigner(key.certificate, key.private_key.der, key.chain[0])
                metadata = signers.PdfSignatureMetadata(
                    field_name="S", md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
                )

                def theirs(document: bytes = document, metadata: object = metadata, signer: object = signer) -> None:
                    writer = IncrementalPdfFileWriter(io.BytesIO(document))
                    signers.PdfSigner(metadata, signer).sign_pdf(writer, bytes_reserved=8192)

                def judged_by_them(signed: bytes = signed) -> None:
                    found = PdfFileReader(io.BytesIO(signed)).embedded_signatures[0]
                    asyncio.run(async_validate_pdf_signature(found, context))

                row[2], row[4] = best(theirs), best(judged_by_them)
            cells = "".join(f"{value:>{width}.2f}" if value == value else f"{'–':>{width}}"
                            for value, width in zip(row, (11, 11, 14, 12, 15), strict=True))  # fmt: skip
            print(f"{title + ', ' + name:28}{cells}")


if __name__ == "__main__":
    main()
