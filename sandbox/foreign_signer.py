"""Somebody else's signing software: signs a PDF with a citizen's key by pyHanko alone, none of our signing code.

Owns:    `sign_by_foreign_software`, `POST /holders/{persona}/foreign-signature`.
         It makes signatures that our judge must judge though we did not make them, also under a withdrawn CA.
"""

import io

from asn1crypto import keys, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.holders import AUTHORITY_OF
from sandbox.personas import PERSONAS, Persona
from sandbox.pki import SandboxPki
from trust_lists.clock import Clock

MAX_PDF_BYTES = 20_000_000


def sign_by_foreign_software(pki: SandboxPki, persona: Persona, document: bytes, clock: Clock) -> bytes:
    """Return the document with a PAdES B-T signature by pyHanko, under the persona's present certificate."""
    held = pki.holder_certificate(AUTHORITY_OF[persona.region], persona, clock())
    store = SimpleCertificateStore()
    store.register_multiple([x509.Certificate.load(certificate) for certificate in held.chain])
    signer = signers.SimpleSigner(
        signing_cert=x509.Certificate.load(held.certificate),
        signing_key=keys.PrivateKeyInfo.load(held.private_key.der),
        cert_registry=store,
    )
    metadata = signers.PdfSignatureMetadata(
        field_name="ForeignSignature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    out = io.BytesIO()
    signers.PdfSigner(metadata, signer, timestamper=HTTPTimeStamper(pki.tsa_url)).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(document)), output=out
    )
    return out.getvalue()


def build_foreign_signer_routes(pki: SandboxPki, clock: Clock) -> list[BaseRoute]:
    """Return the route that signs a posted PDF with a persona's key."""

    async def sign(request: Request) -> Response:
        persona = PERSONAS.get(request.path_params["persona"])
        document = await request.body()
        if persona is None or len(document) > MAX_PDF_BYTES:
            return JSONResponse({"code": "persona_unknown", "detail": "no such persona, or too large a document"}, 404)
        signed = await run_in_threadpool(sign_by_foreign_software, pki, persona, document, clock)
        return Response(signed, media_type="application/pdf")

    return [Route("/holders/{persona}/foreign-signature", sign, methods=["POST"])]
