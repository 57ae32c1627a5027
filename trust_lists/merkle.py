"""The Merkle tree behind an append-only log: hashes, and proofs that it was only ever appended to.

Owns:    leaf and node hashes, the root of a list of leaves, inclusion and consistency proofs: made and verified.
Leaves:  what a leaf says to `transparency`, storage to `log_tiles`, signatures to `checkpoint`.
Rules:   pure arithmetic over 32-byte hashes. A proof is made by asking for hashes of complete subtrees, so that whoever makes it needs
         not hold the whole tree. `verify_…` returns None or raises `ProofWrong`.
Spec:    RFC 9162 cl. 2.1.1 (hashes), 2.1.3 (inclusion), 2.1.4 (consistency).
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence

HASH_BYTES = 32
MAX_SIZE = 2**48
"""More leaves than any list will have; bounds the arithmetic on numbers from outside."""

SubtreeHash = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree of 2**level leaves that starts at leaf index * 2**level: called with (level, index)."""


class ProofWrong(Exception):
    """The proof does not prove it."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (cl. 2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (cl. 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def empty_root() -> bytes:
    """Return the root of the tree without leaves."""
    return hashlib.sha256(b"").digest()


def subtrees_of(leaves: Sequence[bytes]) -> SubtreeHash:
    """Return the complete subtrees of a tree whose leaf hashes are all at hand; each is hashed once."""
    levels: list[list[bytes]] = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]


def tree_root(size: int, subtree: SubtreeHash) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    return _range_hash(0, size, subtree) if size else empty_root()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    return tree_root(len(leaves), subtrees_of(leaves))


def _range_hash(start: int, end: int, subtree: SubtreeHash) -> bytes:
    """Return MTH(D[start:end]), where start is aligned as it always is inside a tree."""
    width = end - start
    if width & (width - 1) == 0 and start % width == 0:
        level = width.bit_length() - 1
        return subtree(level, start >> level)
    split = _split(width)
    return node_hash(_range_hash(start, start + split, subtree), _range_hash(start + split, end, subtree))


def _split(width: int) -> int:
    """Return the largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


# --- inclusion (cl. 2.1.3) ---------------------------------------------------------------------------------------------


def inclusion_proof(index: int, size: int, subtree: SubtreeHash) -> tuple[bytes, ...]:
    """Return the audit path of a leaf, from the leaf up."""
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            path.append(_range_hash(start, middle, subtree))
            start = middle
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, path: Sequence[bytes]) -> None:
    """Return when the leaf hash stands at `index` of the tree of that size and root (cl. 2.1.3.2).

    Raises:
        ProofWrong: it does not.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofWrong("the index is outside the tree")
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise ProofWrong("the path is too long")
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or not hmac.compare_digest(found, root):
        raise ProofWrong("the leaf is not in the tree")


# --- consistency (cl. 2.1.4) -------------------------------------------------------------------------------------------


def consistency_proof(old: int, new: int, subtree: SubtreeHash) -> tuple[bytes, ...]:
    """Return the proof that the tree of `new` leaves continues the one of `old` leaves."""
    return () if old in (0, new) else _subproof(old, 0, new, subtree, whole=True)


def _subproof(old: int, start: int, end: int, subtree: SubtreeHash, *, whole: bool) -> tuple[bytes, ...]:
    if old == end - start:
        return () if whole else (_range_hash(start, end, subtree),)
    split = _split(end - start)
    if old <= split:
        left = _subproof(old, start, start + split, subtree, whole=whole)
        return (*left, _range_hash(start + split, end, subtree))
    right = _subproof(old - split, start + split, end, subtree, whole=False)
    return (*right, _range_hash(start, start + split, subtree))


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return when the tree of `new` leaves continues the one of `old` leaves (cl. 2.1.4.2).

    Raises:
        ProofWrong: the log was not only appended to.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise ProofWrong("the log has become shorter")
    if old in (0, new):
        _check_trivial(old, old_root, new_root, proof)
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ProofWrong("the proof is too short")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofWrong("the proof is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or not (hmac.compare_digest(first, old_root) and hmac.compare_digest(second, new_root)):
        raise ProofWrong("the log does not continue the one that was seen before")


def _check_trivial(old: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Nothing was appended, or there was nothing before."""
    wanted = empty_root() if old == 0 else new_root
    if proof or not hmac.compare_digest(old_root, wanted):
        raise ProofWrong("two trees of one size differ")
