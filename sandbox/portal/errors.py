"""What goes wrong at the portal, with the code of whoever refused.

PortalError
├── TokenRefused          our own verification refuses what came
├── ProviderRefused       the service refused; `code` is its own
├── ErrandUnknown         errand_not_found
└── ErrandNotReady        errand_not_ready
"""


class PortalError(Exception):
    """Root; `code` is machine-readable, `status` the HTTP status of the portal's own answer."""

    status = 400

    def __init__(self, code: str, detail: str) -> None:
        """Keep code and detail."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


class TokenRefused(PortalError):
    """A token or response does not verify."""


class ProviderRefused(PortalError):
    """The service said no."""


class ErrandUnknown(PortalError):
    """No such errand."""

    status = 404

    def __init__(self) -> None:
        """Say so."""
        super().__init__("errand_not_found", "There is no such errand at this portal")


class ErrandNotReady(PortalError):
    """The errand has not come so far."""

    status = 409

    def __init__(self, detail: str) -> None:
        """Say what is missing."""
        super().__init__("errand_not_ready", detail)
