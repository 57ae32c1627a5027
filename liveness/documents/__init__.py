"""Document numbers and machine-readable zones of the three regions.

Owns:    shapes, check digits, MRZ forms and the cross-check against the person asked for. Leaves whether a document exists to
         the permit authority.
Rules:   pure; every parser returns frozen values or raises `DocumentRefused` that names field, position, found and expected
"""

from liveness.documents.holder import check_holder
from liveness.documents.mrz import MachineReadable, MrzForm, parse_mrz
from liveness.documents.numbers import DocumentNumber, parse_number

__all__ = ["DocumentNumber", "MachineReadable", "MrzForm", "check_holder", "parse_mrz", "parse_number"]
