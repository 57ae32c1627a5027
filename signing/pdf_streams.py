"""Decoding of the streams that carry a PDF file's structure.

Owns:    FlateDecode and PNG predictors, within a limit. Leaves page content alone: nothing here looks at it.
Spec:    ISO 32000-2:2020 cl. 7.4.4; ISO/IEC 15948 cl. 9 (PNG filters)
"""

import zlib
from dataclasses import dataclass

from signing.errors import DocumentRefused, DocumentTooLarge
from signing.pdf_syntax import Dictionary, Name


@dataclass(frozen=True, slots=True)
class StreamObject:
    """A stream: its dictionary and where its raw bytes begin."""

    dictionary: Dictionary
    start: int


def decode_stream(raw: bytes, dictionary: Dictionary, max_bytes: int) -> bytes:
    """Decode FlateDecode with a PNG predictor, or nothing; other filters are refused here.

    Raises:
        DocumentRefused: another filter, or bytes that do not decode.
        DocumentTooLarge: more than `max_bytes` would come out.
    """
    filters = dictionary.get("Filter")
    chain = filters if isinstance(filters, list) else [] if filters is None else [filters]
    parameters = dictionary.get("DecodeParms")
    parameters_list = parameters if isinstance(parameters, list) else [parameters]
    if not chain:
        return raw
    if len(chain) != 1 or chain[0] not in (Name("FlateDecode"), Name("Fl")):
        raise DocumentRefused("a structural stream uses an unusual filter")
    engine = zlib.decompressobj()
    try:
        decoded = engine.decompress(raw, max_bytes + 1)
    except zlib.error as error:
        raise DocumentRefused("a stream does not decode") from error
    if len(decoded) > max_bytes:
        raise DocumentTooLarge("a stream decodes to too many bytes")
    settings = parameters_list[0] if parameters_list else None
    return _unpredict(decoded, settings) if isinstance(settings, dict) else decoded


def _unpredict(data: bytes, settings: Dictionary) -> bytes:
    predictor, columns = settings.get("Predictor", 1), settings.get("Columns", 1)
    if predictor == 1:
        return data
    colours, bits = settings.get("Colors", 1), settings.get("BitsPerComponent", 8)
    usable = isinstance(columns, int) and isinstance(predictor, int) and 10 <= predictor <= 15
    if not usable or not isinstance(columns, int) or not 0 < columns <= 10_000 or colours != 1 or bits != 8:
        raise DocumentRefused("a structural stream uses an unusual predictor")
    previous = bytes(columns)
    result = bytearray()
    for at in range(0, len(data), columns + 1):
        row = _unfilter(data[at], bytearray(data[at + 1 : at + 1 + columns]), previous)
        result += row
        previous = bytes(row).ljust(columns, b"\x00")
    return bytes(result)


def _unfilter(kind: int, row: bytearray, above: bytes) -> bytearray:
    # PNG filters (ISO/IEC 15948 cl. 9.2) with one byte per pixel.
    if kind == 0:
        return row
    if kind == 2:
        return bytearray((value + up) & 0xFF for value, up in zip(row, above, strict=False))
    left = 0
    upper_left = 0
    for index, value in enumerate(row):
        up = above[index]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        elif kind == 4:
            guess = _paeth(left, up, upper_left)
        else:
            raise DocumentRefused("an unknown PNG filter")
        left = row[index] = (value + guess) & 0xFF
        upper_left = up
    return row


def _paeth(left: int, up: int, upper_left: int) -> int:
    estimate = left + up - upper_left
    distances = (abs(estimate - left), abs(estimate - up), abs(estimate - upper_left))
    return (left, up, upper_left)[distances.index(min(distances))]
