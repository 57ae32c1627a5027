"""The sample portal: a simulated bank in Guangdong, as a real relying party with client libraries that anybody has.

Read first: `relying_party` (what a portal does with the provider), `verification` (what it checks before it believes).
"""

from sandbox.portal.portal import CLIENT_ID, Portal
from sandbox.portal.routes import build_portal_routes

__all__ = ["CLIENT_ID", "Portal", "build_portal_routes"]
