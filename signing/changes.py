"""What later revisions changed: the document as it was signed, compared with the document as it is shown now.

Owns:    a comparison by value of everything that hangs under the catalog, and the few places where a difference is explained.
Leaves:  what a change means to `modification`.
Rules:   1 values are compared, not object numbers: a rewritten object with the same content is no change
         2 every catalog entry must be equal but for /DSS, /Extensions, /Version, /Metadata (never shown), /AcroForm and /Pages
         3 a page may gain widgets of new signature fields, nothing else; the page tree keeps its shape
         4 a new field is a signature field that is signed, or an invisible one; it carries no action
         5 an unsigned signature field may be signed; a signed one never changes; other fields may change value and appearance
         6 work is bounded by the number of objects; what cannot be compared is a change
Spec:    ISO 32000-2:2020 cl. 12.8.2.2.2 table 257 (what DocMDP permits), 12.7 (forms), 12.8.4.3 (DSS)
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from signing.config import DocumentLimits
from signing.errors import DocumentRefused
from signing.model import Modification
from signing.pdf_file import PdfFile
from signing.pdf_streams import StreamObject
from signing.pdf_syntax import Dictionary, Name, PdfString, Ref

_NEVER_SHOWN = frozenset({"DSS", "Extensions", "Version", "Metadata"})
_HANDLED = frozenset({"AcroForm", "Pages"})
_FIELD_VALUE = frozenset({"V", "AP", "AS", "DV", "RV", "I"})
_SIGNING = frozenset({"V", "AP", "M", "F"})
_ACTIONS = frozenset({"A", "AA"})
_NEW_FIELD = frozenset(
    {"Type", "Subtype", "FT", "T", "TU", "V", "F", "P", "Rect", "AP", "Lock", "SV", "Ff", "MK", "BS", "Border", "DA", "DR",
     "Q", "M", "NM", "H", "StructParent", "Parent", "Kids"}
)  # fmt: skip


class _Unexplained(Exception):
    """A difference that no rule explains."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What was found.

    Attributes:
        kind: the widest kind of change.
        fields: names of form fields whose value or appearance changed.
    """

    kind: Modification
    fields: frozenset[str] = frozenset()


def find_changes(data: bytes, covered_end: int, limits: DocumentLimits) -> Changes:
    """Compare the revision that ends at `covered_end` with the whole file."""
    try:
        old, new = PdfFile(data[:covered_end], limits), PdfFile(data, limits)
        later = len(new.sections) - len(old.sections)
        if any("XRefStm" in section.trailer for section in new.sections[:later]):
            raise _Unexplained  # readers differ on hybrid files
        return _Comparison(old, new, limits).run()
    except (_Unexplained, DocumentRefused, RecursionError):
        return Changes(Modification.OTHER)


@dataclass
class _Comparison:
    old: PdfFile
    new: PdfFile
    limits: DocumentLimits
    equal: set[tuple[int, int]] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)
    signed: bool = False
    widgets: set[int] = field(default_factory=set)
    signed_widgets: set[int] = field(default_factory=set)
    filled_widgets: set[int] = field(default_factory=set)
    steps: int = 0

    def run(self) -> Changes:
        roots = self.old.trailer.get("Root"), self.new.trailer.get("Root")
        before, after = self.old.dictionary(roots[0]), self.new.dictionary(roots[1])
        self._suppose([roots])
        self._suppose_pages(before.get("Pages"), after.get("Pages"))
        for key in (before.keys() | after.keys()) - _NEVER_SHOWN - _HANDLED:
            self._same(before.get(key), after.get(key))
        self._form(before.get("AcroForm"), after.get("AcroForm"))
        self._page_tree(before.get("Pages"), after.get("Pages"))
        if self.filled:
            return Changes(Modification.FORM_FILLING, frozenset(self.filled))
        return Changes(Modification.SIGNATURES if self.signed else Modification.VALIDATION_DATA)

    # --- what is compared at its own place ---

    def _suppose(self, pairs: Iterable[tuple[object, object]]) -> None:
        """Suppose pairs of objects equal wherever else they are met: catalog, pages, annotations and fields have rules of their own."""
        self.equal.update((a.number, b.number) for a, b in pairs if isinstance(a, Ref) and isinstance(b, Ref))

    def _suppose_pages(self, one: object, other: object) -> None:
        waiting = [(one, other)]
        while waiting:
            self._count_step()
            pair = waiting.pop()
            self._suppose([pair])
            before, after = self.old.dictionary(pair[0]), self.new.dictionary(pair[1])
            kids = list(zip(self.old.array(before.get("Kids")), self.new.array(after.get("Kids")), strict=False))
            waiting.extend(kids)
            self._suppose(zip(self.old.array(before.get("Annots")), self.new.array(after.get("Annots")), strict=False))

    def _count_step(self) -> None:
        self.steps += 1
        if self.steps > 20 * self.limits.max_objects:
            raise _Unexplained

    # --- equality by value ---

    def _same(self, one: object, other: object) -> None:
        """Compare two values and all that hangs under them, with an explicit stack: chains may be long."""
        waiting = [(one, other)]
        while waiting:
            self._count_step()
            a, b = waiting.pop()
            if isinstance(a, Ref) and isinstance(b, Ref):
                if (a.number, b.number) in self.equal:
                    continue
                self.equal.add((a.number, b.number))
            waiting.extend(self._parts(self.old.resolve(a), self.new.resolve(b)))

    def _parts(self, a: object, b: object) -> list[tuple[object, object]]:
        """Return the pairs that must be equal for these two to be equal."""
        if isinstance(a, StreamObject) and isinstance(b, StreamObject):
            if self.old.raw_stream(a) != self.new.raw_stream(b):
                raise _Unexplained
            return self._parts(_without_length(a.dictionary), _without_length(b.dictionary))
        if isinstance(a, dict) and isinstance(b, dict):
            return [(a.get(key), b.get(key)) for key in a.keys() | b.keys()]
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                raise _Unexplained
            return list(zip(a, b, strict=True))
        if isinstance(a, PdfString) and isinstance(b, PdfString):
            equal = a.value == b.value
        else:
            equal = a == b and (type(a) is type(b) or (_is_number(a) and _is_number(b)))  # 612 and 612.0 are one number
        if not equal:
            raise _Unexplained
        return []

    def _same_but(self, before: Dictionary, after: Dictionary, exempt: frozenset[str]) -> None:
        for key in (before.keys() | after.keys()) - exempt:
            self._same(before.get(key), after.get(key))

    # --- the form ---

    def _form(self, one: object, other: object) -> None:
        before, after = self.old.dictionary(one), self.new.dictionary(other)
        # A form that comes with the first signature may bring its default appearance; an old one keeps its own.
        fresh = frozenset() if before else frozenset({"DA"})
        self._same_but(before, after, frozenset({"Fields", "SigFlags", "DR"}) | fresh)
        self._resources(before.get("DR"), after.get("DR"))
        old_fields, new_fields = self.old.array(before.get("Fields")), self.new.array(after.get("Fields"))
        self._suppose(zip(old_fields, new_fields, strict=False))
        self._fields(old_fields, new_fields, "", None, depth=0)

    def _resources(self, one: object, other: object) -> None:
        """Default resources may gain entries; those that there were stay."""
        before, after = self.old.dictionary(one), self.new.dictionary(other)
        for category, entries in before.items():
            was, is_now = self.old.resolve(entries), self.new.resolve(after.get(category))
            if isinstance(was, dict) and isinstance(is_now, dict):
                for name, value in was.items():
                    self._same(value, is_now.get(name))
            else:
                self._same(entries, after.get(category))

    def _fields(self, old: list[object], new: list[object], prefix: str, kind: object, *, depth: int) -> None:
        if len(new) < len(old) or depth > self.limits.max_depth:
            raise _Unexplained
        for one, other in zip(old, new, strict=False):
            self._field(one, other, prefix, kind, depth)
        for extra in new[len(old) :]:
            self._new_field(extra)

    def _field(self, one: object, other: object, prefix: str, inherited: object, depth: int) -> None:
        before, after = self.old.dictionary(one), self.new.dictionary(other)
        kind = self.old.resolve(before.get("FT")) or inherited
        name = ".".join(part for part in (prefix, _text(self.old.resolve(before.get("T")))) if part)
        self._suppose(zip(self.old.array(before.get("Kids")), self.new.array(after.get("Kids")), strict=False))
        # /Parent leads back up and /P to the page: both are compared where they are reached from above.
        exempt = frozenset({"Kids", "Parent", "P"})
        number = other.number if isinstance(other, Ref) else -1
        if kind == Name("Sig"):
            if before.get("V") is None and after.get("V") is not None:
                exempt |= _SIGNING
                self._note_signature(after)
                self.signed_widgets.add(number)
        else:
            changed = self._differs(before, after)
            if changed:
                self.filled.add(name)
                self.filled_widgets.add(number)
            exempt |= _FIELD_VALUE
        self._same_but(before, after, exempt)
        self._fields(self.old.array(before.get("Kids")), self.new.array(after.get("Kids")), name, kind, depth=depth + 1)

    def _differs(self, before: Dictionary, after: Dictionary) -> bool:
        for key in _FIELD_VALUE:
            known = set(self.equal)
            try:
                self._same(before.get(key), after.get(key))
            except _Unexplained:
                self.equal = known  # pairs that were only supposed to be equal on the way
                return True
        return False

    def _new_field(self, value: object) -> None:
        added = self.new.dictionary(value)
        if added.keys() - _NEW_FIELD or self.new.resolve(added.get("FT")) != Name("Sig"):
            raise _Unexplained
        if added.get("V") is None and not self._is_invisible(added):
            raise _Unexplained
        if added.get("V") is not None:
            self._note_signature(added)
        for part in (value, *self.new.array(added.get("Kids"))):
            widget = self.new.dictionary(part)
            if widget.keys() - _NEW_FIELD:
                raise _Unexplained
            if isinstance(part, Ref):
                self.widgets.add(part.number)

    def _note_signature(self, signed: Dictionary) -> None:
        value = self.new.dictionary(signed.get("V"))
        if self.new.resolve(value.get("SubFilter")) != Name("ETSI.RFC3161"):
            self.signed = True

    def _is_invisible(self, widget: Dictionary) -> bool:
        rectangle = [self.new.resolve(side) for side in self.new.array(widget.get("Rect"))]
        numbers = [side for side in rectangle if isinstance(side, int | float)]
        empty = len(numbers) != 4 or numbers[0] == numbers[2] or numbers[1] == numbers[3]
        return empty and widget.get("AP") is None

    # --- the pages ---

    def _page_tree(self, one: object, other: object) -> None:
        waiting = [(one, other)]
        while waiting:
            self._count_step()
            a, b = waiting.pop()
            before, after = self.old.dictionary(a), self.new.dictionary(b)
            self._same_but(before, after, frozenset({"Kids", "Annots", "Parent"}))
            old_kids, new_kids = self.old.array(before.get("Kids")), self.new.array(after.get("Kids"))
            if len(old_kids) != len(new_kids):
                raise _Unexplained
            waiting.extend(zip(old_kids, new_kids, strict=True))
            self._annotations(self.old.array(before.get("Annots")), self.new.array(after.get("Annots")))

    def _annotations(self, old: list[object], new: list[object]) -> None:
        if len(new) < len(old):
            raise _Unexplained
        for one, other in zip(old, new, strict=False):
            number = other.number if isinstance(other, Ref) else -1
            before, after = self.old.dictionary(one), self.new.dictionary(other)
            exempt = frozenset({"Parent", "P", "Kids"})
            if number in self.signed_widgets or self._parent(after) in self.signed_widgets:
                exempt |= _SIGNING
            elif number in self.filled_widgets or self._parent(after) in self.filled_widgets:
                exempt |= _FIELD_VALUE
            self._same_but(before, after, exempt)
        for extra in new[len(old) :]:
            if not isinstance(extra, Ref) or extra.number not in self.widgets:
                raise _Unexplained

    def _parent(self, widget: Dictionary) -> int:
        parent = widget.get("Parent")
        return parent.number if isinstance(parent, Ref) else -2


def _without_length(dictionary: Dictionary) -> Dictionary:
    return {key: value for key, value in dictionary.items() if key != "Length"}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    return value.text() if isinstance(value, PdfString) else ""
