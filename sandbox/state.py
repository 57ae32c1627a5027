"""What the sandbox's operator has set: who logs in without a click, who approves, and which faults are injected.

Owns:    `SandboxState`, `Fault`, `FaultCatalogue`. Leaves the HTTP side to `config_routes`, and what a fault does to each simulator.
Rules:   1 one fault per connector at a time, by a name that the connector's catalogue offers; anything else is refused
         2 a fault may be limited to a number of uses; `take` counts one use, `active` counts none
         3 everything is in memory: a new start has no fault
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.personas import PERSONAS

MAX_APPROVAL_DELAY_S = 60.0
MAX_FAULT_USES = 1_000


class SettingRefused(ValueError):
    """A setting that the sandbox does not know; the message is for the person who sent it."""


class Mode(StrEnum):
    """Who presses the buttons of the simulated phone."""

    AUTOMATIC = "automatic"
    INTERACTIVE = "interactive"


@dataclass(frozen=True, slots=True)
class FaultCatalogue:
    """The faults that one connector's simulator can inject."""

    names: Mapping[str, str]
    """Name to one sentence that says what happens."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """Regular expression over the whole name to one sentence, for families such as `code:D40000`."""

    def offers(self, name: str) -> bool:
        """Tell whether the name is one of the catalogue's."""
        return name in self.names or any(re.fullmatch(pattern, name) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault; `uses_left` None means until it is taken away."""

    name: str
    uses_left: int | None = None


class SandboxState:
    """The one set of switches that every simulator of this sandbox reads."""

    def __init__(
        self, *, persona: str | None = None, mode: Mode = Mode.AUTOMATIC, approval_delay_s: float = 0.3
    ) -> None:
        self.persona: str | None = None
        self.mode = mode
        self.approval_delay_s = approval_delay_s
        self._catalogues: dict[str, FaultCatalogue] = {}
        self._faults: dict[str, Fault] = {}
        self.set_persona(persona)

    def set_persona(self, persona: str | None) -> None:
        """Choose who every login page picks without a click; None shows the buttons.

        Raises:
            SettingRefused: no such persona.
        """
        if persona is not None and persona not in PERSONAS:
            raise SettingRefused(f"no persona {persona!r}")
        self.persona = persona

    def set_approval_delay(self, seconds: float) -> None:
        """Choose how long the simulated phone waits before it approves by itself, in seconds.

        Raises:
            SettingRefused: negative or longer than a minute.
        """
        if not 0 <= seconds <= MAX_APPROVAL_DELAY_S:
            raise SettingRefused(f"approval_delay_s must be between 0 and {MAX_APPROVAL_DELAY_S:.0f}")
        self.approval_delay_s = seconds

    def offer_faults(self, connector: str, catalogue: FaultCatalogue) -> None:
        """Register a connector's catalogue; its simulator does this when it is built."""
        self._catalogues[connector] = catalogue

    def catalogues(self) -> Mapping[str, FaultCatalogue]:
        """Return every connector's catalogue."""
        return dict(self._catalogues)

    def inject(self, connector: str, name: str | None, *, uses: int | None = None) -> None:
        """Set the connector's fault, or clear it with None.

        Raises:
            SettingRefused: unknown connector or name, or a senseless number of uses.
        """
        catalogue = self._catalogues.get(connector)
        if catalogue is None:
            raise SettingRefused(f"no connector {connector!r}")
        if name is None:
            self._faults.pop(connector, None)
            return
        if not catalogue.offers(name):
            raise SettingRefused(f"no fault {name!r} for {connector}")
        if uses is not None and not 1 <= uses <= MAX_FAULT_USES:
            raise SettingRefused(f"times must be between 1 and {MAX_FAULT_USES}")
        self._faults[connector] = Fault(name, uses)

    def fault(self, connector: str) -> Fault | None:
        """Return what is injected at the connector now."""
        return self._faults.get(connector)

    def active(self, connector: str, name: str) -> bool:
        """Tell whether the fault is injected, without using it up."""
        fault = self._faults.get(connector)
        return fault is not None and fault.name == name

    def take(self, connector: str, name: str) -> bool:
        """Tell whether the fault is injected and count one use; the last use takes it away."""
        fault = self._faults.get(connector)
        if fault is None or fault.name != name:
            return False
        if fault.uses_left is not None:
            left = fault.uses_left - 1
            if left:
                self._faults[connector] = Fault(name, left)
            else:
                del self._faults[connector]
        return True
