"""What the structure gate can find wrong with a signature's place in the file.

Owns:    `StructureProblem`: each with its word, what it means for integrity, and one sentence.
Spec:    ISO 32000-2:2020 cl. 12.8.1 table 255
"""

from enum import Enum

from signing.model import IntegrityVerdict


class StructureProblem(Enum):
    """One structural fault: the word in reports, the integrity verdict it forces, the sentence."""

    CONTENTS = "contents", IntegrityVerdict.MALFORMED, "the signature dictionary has no usable /Contents"
    BYTE_RANGE = "invalid", IntegrityVerdict.MALFORMED, "the /ByteRange is missing or does not fit the file"
    GAP = "gap", IntegrityVerdict.MALFORMED, "the gap of the /ByteRange is not exactly the /Contents of this signature"
    REWRITTEN = "rewritten", IntegrityVerdict.MODIFIED, "the signature dictionary was replaced after signing"
    REVISION = "revision", IntegrityVerdict.MODIFIED, "what is covered is not a whole revision of the file"
    TRAILING_BYTES = "trailing_bytes", IntegrityVerdict.MODIFIED, "unsigned bytes follow the signed file"
    NO_FIELD = "no_field", IntegrityVerdict.MODIFIED, "a signature value in the file belongs to no signature field"
    UNREADABLE_FILE = "unreadable_file", IntegrityVerdict.MALFORMED, "the structure of the file cannot be read"

    @property
    def word(self) -> str:
        """For `integrity.byte_range` in reports."""
        return self.value[0]

    @property
    def verdict(self) -> IntegrityVerdict:
        """The integrity verdict that this problem forces."""
        return self.value[1]

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        return self.value[2]
