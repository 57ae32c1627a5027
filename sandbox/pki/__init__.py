"""The certification authorities of the sandbox: issuing, revocation, status, time stamps.

Owns:    what a CA, an OCSP responder and a TSA do, made by asn1crypto from our own key objects, so that RSA, ECDSA and SM2
         take the same way. Leaves HTTP to `sandbox.pki_routes`, being listed as trusted to `sandbox.operators`.
Rules:   keys lie under the given directory with mode 0600; every file appears by an atomic rename, so several processes
         may share one directory; policy OIDs under 2.999 (ITU-T example arc) are fictitious.
Spec:    RFC 5280, RFC 6960, RFC 3161, RFC 5816; key usage as ETSI EN 319 412-2 cl. 4.3.2 names it
"""

from sandbox.pki.keys import KeyKind, PrivateKey
from sandbox.pki.pki import Authority, IssuedCertificate, SandboxPki, build_pki
from sandbox.pki.profiles import HK_POLICY_OID, CertificateProfile, Subject

__all__ = [
    "HK_POLICY_OID",
    "Authority",
    "CertificateProfile",
    "IssuedCertificate",
    "KeyKind",
    "PrivateKey",
    "SandboxPki",
    "Subject",
    "build_pki",
]
