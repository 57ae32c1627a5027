"""The log's arithmetic: published vectors, every proof of every small tree, and what a wrong proof must give."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_lists.errors import ListMalformed
from trust_lists.log_tiles import (
    entry_tiles_of,
    parse_entry_tile,
    subtrees_in,
    tile_name,
    tiles_needed,
    tiles_of,
)
from trust_lists.merkle import (
    ProofWrong,
    consistency_proof,
    empty_root,
    inclusion_proof,
    leaf_hash,
    root_of,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)

# The test tree of the certificate-transparency project (merkletree tests): eight leaves and the root of each prefix.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(b"%d" % number) for number in range(70)]


def test_published_roots() -> None:
    hashes = [leaf_hash(entry) for entry in ENTRIES]
    assert [root_of(hashes[: size + 1]).hex() for size in range(8)] == ROOTS
    assert root_of([]) == empty_root()


def test_every_inclusion_of_every_small_tree() -> None:
    for size in range(1, 40):
        leaves = LEAVES[:size]
        root, subtree = root_of(leaves), subtrees_of(leaves)
        for index in range(size):
            path = inclusion_proof(index, size, subtree)
            verify_inclusion(index, size, leaves[index], root, path)
            for wrong in (
                (index, size, LEAVES[size], root, path),
                (index, size, leaves[index], LEAVES[0] if size > 1 else LEAVES[1], path),
                (index, size, leaves[index], root, (*path, LEAVES[0])),
                (size, size, leaves[index], root, path),
            ):
                with pytest.raises(ProofWrong):
                    verify_inclusion(*wrong)
            if path:
                with pytest.raises(ProofWrong):
                    verify_inclusion(index, size, leaves[index], root, path[:-1])


def test_every_growth_of_every_small_tree() -> None:
    for new in range(1, 40):
        subtree, root = subtrees_of(LEAVES[:new]), root_of(LEAVES[:new])
        for old in range(new + 1):
            proof, seen = consistency_proof(old, new, subtree), root_of(LEAVES[:old])
            verify_consistency(old, new, seen, root, proof)
            forked = root_of([LEAVES[69], *LEAVES[1:old]]) if old else LEAVES[0]
            with pytest.raises(ProofWrong):
                verify_consistency(old, new, forked, root, proof)
            with pytest.raises(ProofWrong):
                verify_consistency(old, new, seen, root, (*proof, LEAVES[0]))
    with pytest.raises(ProofWrong, match="shorter"):
        verify_consistency(5, 4, root_of(LEAVES[:5]), root_of(LEAVES[:4]), ())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(0, 700))
def test_proofs_out_of_tiles(size: int, other: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    subtree, tiles = subtrees_of(leaves), tiles_of(leaves, subtrees_of(leaves))
    old = other % (size + 1)
    for proof in (
        lambda hashes: consistency_proof(old, size, hashes),
        lambda hashes: inclusion_proof(old % size, size, hashes),
    ):
        needed = {name: tiles[name] for name in tiles_needed(size, proof)}
        assert proof(subtrees_in(needed, size)) == proof(subtree)


def test_tiles_have_their_published_names() -> None:
    assert tile_name(0, 5, 256) == "log/tile/0/005"
    assert tile_name("entries", 1234067, 70) == "log/tile/entries/x001/x234/067.p/70"
    assert list(tiles_of(LEAVES[:3], subtrees_of(LEAVES[:3]))) == ["log/tile/0/000.p/3"]


def test_entries_survive_their_tile() -> None:
    entries = (b"one", b"x" * 4096)
    ((name, tile),) = entry_tiles_of(entries).items()
    assert name == "log/tile/entries/000.p/2"
    assert parse_entry_tile(tile, 2) == entries
    for width, bad in ((3, tile), (1, tile), (2, tile[:-1]), (1, b"\x00\x00"), (1, b"\xff\xff" + bytes(65535))):
        with pytest.raises(ListMalformed):
            parse_entry_tile(bad, width)
