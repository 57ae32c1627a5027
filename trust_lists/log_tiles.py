"""The log's tree in files that never change: tiles of 256 hashes, and the entries themselves.

Owns:    names and content of tiles; complete subtrees out of tiles; which tiles a proof needs. Leaves proofs to `merkle`, disk to `store`.
Rules:   a tile is immutable; one that is not full yet carries its width in its name. Nothing read from a tile is believed: a proof made of
         it is verified against a signed checkpoint.
Spec:    C2SP tlog-tiles: `tile/<level>/<index>[.p/<width>]`, `tile/entries/<index>[.p/<width>]`, index in groups of three digits.
"""

from collections.abc import Callable, Mapping, Sequence

from trust_lists.errors import ListMalformed
from trust_lists.merkle import HASH_BYTES, SubtreeHash, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_TILE_BYTES = TILE_WIDTH * HASH_BYTES
MAX_ENTRY_BYTES = 4096
MAX_ENTRIES_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)
LOG_FOLDER = "log"
CHECKPOINT_NAME = f"{LOG_FOLDER}/checkpoint"


def tile_name(level: int | str, index: int, width: int) -> str:
    """Return the file name of a tile; `level` is a number or `entries`."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"{LOG_FOLDER}/tile/{level}/{path}" + ("" if width == TILE_WIDTH else f".p/{width}")


def tiles_of(leaves: Sequence[bytes], subtree: SubtreeHash) -> dict[str, bytes]:
    """Return every hash tile of a tree by its name."""
    tiles: dict[str, bytes] = {}
    level = 0
    while (count := len(leaves) >> (TILE_HEIGHT * level)) > 0:
        for index in range(-(-count // TILE_WIDTH)):
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            hashes = [subtree(TILE_HEIGHT * level, index * TILE_WIDTH + i) for i in range(width)]
            tiles[tile_name(level, index, width)] = b"".join(hashes)
        level += 1
    return tiles


def entry_tiles_of(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Return every tile of entries by its name; each entry follows its length in two bytes."""
    tiles = {}
    for index in range(-(-len(entries) // TILE_WIDTH)):
        part = entries[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
        tiles[tile_name("entries", index, len(part))] = b"".join(len(e).to_bytes(2, "big") + e for e in part)
    return tiles


def parse_entry_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """Return the entries of a tile.

    Raises:
        ListMalformed: not so many, or not of the form.
    """
    entries, position = [], 0
    for _ in range(width):
        length = int.from_bytes(data[position : position + 2], "big")
        entry = data[position + 2 : position + 2 + length]
        if len(entry) != length or not 1 <= length <= MAX_ENTRY_BYTES:
            raise ListMalformed("the entries of the log are not of the published form")
        entries.append(entry)
        position += 2 + length
    if position != len(data):
        raise ListMalformed("the entries of the log are not of the published form")
    return tuple(entries)


def entry_tile_names(size: int) -> tuple[tuple[str, int], ...]:
    """Return the names and widths of the tiles that hold the first `size` entries."""
    widths = [min(TILE_WIDTH, size - start) for start in range(0, size, TILE_WIDTH)]
    return tuple((tile_name("entries", index, width), width) for index, width in enumerate(widths))


def subtrees_in(tiles: Mapping[str, bytes], size: int) -> SubtreeHash:
    """Return the complete subtrees of the tree of `size` leaves out of its tiles.

    Raises (when asked):
        ListMalformed: the tile is missing or of another length.
    """

    def subtree(level: int, index: int) -> bytes:
        name, width, first, count = _place(level, index, size)
        tile = tiles.get(name)
        if tile is None or len(tile) != width * HASH_BYTES:
            raise ListMalformed("a part of the log is missing or of another length")
        hashes = [tile[i * HASH_BYTES : (i + 1) * HASH_BYTES] for i in range(first, first + count)]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    return subtree


def tiles_needed(size: int, proof: Callable[[SubtreeHash], object]) -> tuple[str, ...]:
    """Return the names of the tiles that making a proof in the tree of `size` leaves asks for."""
    names: dict[str, None] = {}

    def note(level: int, index: int) -> bytes:
        names[_place(level, index, size)[0]] = None
        return bytes(HASH_BYTES)

    proof(note)
    return tuple(names)


def _place(level: int, index: int, size: int) -> tuple[str, int, int, int]:
    """Say where a complete subtree lies: the tile's name and width, its first hash there, and how many hashes it spans."""
    tile_level, above = divmod(level, TILE_HEIGHT)
    count = 1 << above
    tile, first = divmod(index * count, TILE_WIDTH)
    width = min(TILE_WIDTH, (size >> (TILE_HEIGHT * tile_level)) - tile * TILE_WIDTH)
    return tile_name(tile_level, tile, width), width, first, count
