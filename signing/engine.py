"""PDF containers, as creation sees them.

Owns:    the Protocol of an engine and its words. Leaves each library to its own `*_engine.py`.
Rules:   an engine writes one incremental update with a signature field, the dictionary and a zeroed /Contents of a given size;
         it neither hashes nor signs: the CMS is ours in every case.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """What the signature dictionary and its field shall say.

    Attributes:
        name: of the field; an existing empty one is used, otherwise it is created.
        signing_time: claimed, goes to /M.
        reason: or None.
        location: or None.
        sub_filter: `ETSI.CAdES.detached`, or `ETSI.RFC3161` for a document time stamp.
        box: page index and rectangle for a visible field, or None.
        appearance: lines of text shown in a visible field.
    """

    name: str
    signing_time: datetime
    reason: str | None = None
    location: str | None = None
    sub_filter: str = "ETSI.CAdES.detached"
    box: tuple[int, int, int, int, int] | None = None
    appearance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservedDocument:
    """The document with room for the value.

    Attributes:
        data: complete file, /Contents all zeros, /ByteRange final.
        gap_start: offset of `<`.
        gap_end: offset after `>`.
    """

    data: bytes
    gap_start: int
    gap_end: int


class PdfEngine(Protocol):
    """One PDF library that can write the container."""

    @property
    def name(self) -> str:
        """For `--engine` and reports."""
        ...

    def reserve(self, document: bytes, field: FieldRequest, contents_bytes: int) -> ReservedDocument:
        """Write the update with `contents_bytes` of room.

        Raises:
            DocumentRefused: the library cannot read the document.
            EngineRefused: this engine must not touch this document.
        """
        ...
