"""iAM Smart, simulated: the server's side of its wire, written from the fact sheet and not from our connector.

Read first: `wire` (headers and envelopes), `api` (the calls), `login` (the broker page), `approvals` (the phone), `simulator` (joined).
What is assumed of the real service and not confirmed is called *assumed* at its line (`docs/divergences.md`).
"""

from sandbox.iam_smart.approvals import SigningKeys
from sandbox.iam_smart.provision import ProvisionedClient, provision
from sandbox.iam_smart.registry import RelyingParty
from sandbox.iam_smart.simulator import IamSmartSimulator, build_iam_smart_routes
from sandbox.iam_smart.wire import KekPadding

__all__ = [
    "IamSmartSimulator",
    "KekPadding",
    "ProvisionedClient",
    "RelyingParty",
    "SigningKeys",
    "build_iam_smart_routes",
    "provision",
]
