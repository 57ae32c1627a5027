"""What stops the sandbox, the demonstration or the errand, said in one line.

SandboxError (a ServiceError, so that the command's door knows it)
├── SandboxRefused    sandbox_refused    production mode, a data folder of another sandbox, an unknown fault
└── ErrandFailed      (the step's code)  a step of the errand was refused; carries the code of whoever refused
"""

from service.errors import ServiceError


class SandboxError(ServiceError):
    """Root of the sandbox's own errors."""

    code = "sandbox_error"


class SandboxRefused(SandboxError):
    """The sandbox cannot run in this way."""

    code = "sandbox_refused"


class ErrandFailed(SandboxError):
    """One step of the errand ended in a refusal.

    Args:
        code: of whoever refused: the service, the portal, the reader.
        detail: safe to show.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
