"""SM2-with-SM3 in Python: the verifier for machines whose libcrypto has no SM2, and the second opinion in tests.

Owns:    curve arithmetic, Z, verification over integers, strict signature DER. Leaves keys and back-end choice to `sm2`.
Rules:   verification only. Arithmetic here is not constant time, so no secret may ever enter it: signing stays in libcrypto.
Spec:    GB/T 32918.2 (signature), 32918.5 (curve, known answer); GM/T 0009 cl. 10 (user id).
"""

import hashlib
import hmac
from functools import lru_cache

from cryptography.hazmat.primitives import hashes

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0

MAX_USER_ID_BYTES = 8190
"""ENTL is the id's length in bits, in two octets (GB/T 32918.2 cl. 5.5): 8191 would fit, OpenSSL stops one earlier, and so do we."""

_G_WINDOW = 7
_Q_WINDOW = 5

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]
_INFINITY: Jacobian = (1, 1, 0)


def sm3(data: bytes) -> bytes:
    """Return the SM3 digest: hashlib's where OpenSSL has it, else the one of `cryptography`."""
    if "sm3" in hashlib.algorithms_available:
        return hashlib.new("sm3", data).digest()
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def on_curve(x: int, y: int) -> bool:
    """Tell whether (x, y) is a point of sm2p256v1 with reduced coordinates; the point at infinity has none and is not."""
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def z_value(user_id: bytes, x: int, y: int) -> bytes:
    """Return Z = SM3(ENTL ‖ id ‖ a ‖ b ‖ Gx ‖ Gy ‖ Px ‖ Py) (GB/T 32918.2 cl. 5.5)."""
    if len(user_id) > MAX_USER_ID_BYTES:
        raise ValueError("user id too long")
    numbers = b"".join(value.to_bytes(32, "big") for value in (A, B, GX, GY, x, y))
    return sm3((len(user_id) * 8).to_bytes(2, "big") + user_id + numbers)


def verify(x: int, y: int, r: int, s: int, data: bytes, *, user_id: bytes) -> bool:
    """Tell whether (r, s) signs `data` under the public point (GB/T 32918.2 cl. 7.1, steps B1 to B7)."""
    if not (1 <= r < N and 1 <= s < N) or not on_curve(x, y):  # B1, B2
        return False
    return verify_digest(x, y, r, s, sm3(z_value(user_id, x, y) + data))  # B3, B4


def verify_digest(x: int, y: int, r: int, s: int, digest: bytes) -> bool:
    """Tell whether (r, s) signs this digest, however it was made: only for naming a dialect that is refused."""
    if not (1 <= r < N and 1 <= s < N) or not on_curve(x, y):
        return False
    e = int.from_bytes(digest, "big")
    t = (r + s) % N  # B5
    if t == 0:
        return False
    point = _sum_of_products(s, t, (x, y))  # B6: s*G + t*P
    if point[2] == 0:
        return False
    x1 = _to_affine([point])[0][0]
    return hmac.compare_digest(((e + x1) % N).to_bytes(32, "big"), r.to_bytes(32, "big"))  # B7


def parse_signature(der: bytes) -> tuple[int, int]:
    """Return (r, s) from the DER of SEQUENCE { INTEGER, INTEGER } (GM/T 0009 cl. 7.3).

    Strict: definite minimal lengths, minimal non-negative integers, nothing after. Raises:
        ValueError: for any other bytes.
    """
    if not 8 <= len(der) <= 72 or der[0] != 0x30 or der[1] != len(der) - 2:
        raise ValueError("not a DER signature")
    r, rest = _parse_integer(der[2:])
    s, rest = _parse_integer(rest)
    if rest:
        raise ValueError("bytes after the signature")
    return r, s


def encode_signature(r: int, s: int) -> bytes:
    """Return the DER of the pair."""
    body = b"".join(b"\x02" + bytes([len(raw)]) + raw for raw in (_minimal(r), _minimal(s)))
    return b"\x30" + bytes([len(body)]) + body


def _minimal(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def _parse_integer(der: bytes) -> tuple[int, bytes]:
    if len(der) < 3 or der[0] != 0x02 or not 1 <= der[1] <= 33 or len(der) < 2 + der[1]:
        raise ValueError("not a DER integer")
    raw = der[2 : 2 + der[1]]
    if raw[0] & 0x80 or (len(raw) > 1 and raw[0] == 0 and not raw[1] & 0x80):
        raise ValueError("negative or padded integer")
    return int.from_bytes(raw, "big"), der[2 + der[1] :]


def _double(point: Jacobian) -> Jacobian:
    x, y, z = point
    if not z or not y:
        return _INFINITY
    delta = z * z % P
    gamma = y * y % P
    beta = x * gamma % P
    alpha = 3 * (x - delta) * (x + delta) % P
    x3 = (alpha * alpha - 8 * beta) % P
    z3 = ((y + z) * (y + z) - gamma - delta) % P
    return x3, (alpha * (4 * beta - x3) - 8 * gamma * gamma) % P, z3


def _add(point: Jacobian, other: Affine) -> Jacobian:
    x1, y1, z1 = point
    if not z1:
        return other[0], other[1], 1
    zz = z1 * z1 % P
    h = (other[0] * zz - x1) % P
    r = (other[1] * z1 * zz - y1) % P
    if not h:
        return _INFINITY if r else _double(point)
    hh = h * h % P
    hhh = h * hh % P
    v = x1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y1 * hhh) % P, z1 * h % P


def _to_affine(points: list[Jacobian]) -> list[Affine]:
    """Turn finite Jacobian points into affine ones with a single inversion (Montgomery's trick)."""
    products = [1]
    for point in points:
        products.append(products[-1] * point[2] % P)
    inverse = pow(products[-1], -1, P)
    result: list[Affine] = []
    for product, (x, y, z) in zip(reversed(products[:-1]), reversed(points), strict=True):
        z_inverse = inverse * product % P
        inverse = inverse * z % P
        square = z_inverse * z_inverse % P
        result.append((x * square % P, y * square * z_inverse % P))
    return result[::-1]


@lru_cache(maxsize=64)  # issuer keys come back often; 64 tables are some 200 KiB
def _odd_multiples(point: Affine, window: int) -> tuple[Affine, ...]:
    """Return 1, 3, 5 … (2^(window-1) - 1) times the point."""
    twice = _to_affine([_double((point[0], point[1], 1))])[0]
    multiples: list[Jacobian] = [(point[0], point[1], 1)]
    for _ in range((1 << (window - 2)) - 1):
        multiples.append(_add(multiples[-1], twice))
    return tuple(_to_affine(multiples))


def _wnaf(scalar: int, window: int) -> list[int]:
    digits = []
    modulus = 1 << window
    while scalar:
        digit = 0
        if scalar & 1:
            digit = scalar & (modulus - 1)
            if digit >= modulus >> 1:
                digit -= modulus
            scalar -= digit
        digits.append(digit)
        scalar >>= 1
    return digits


def _sum_of_products(g_scalar: int, q_scalar: int, q: Affine) -> Jacobian:
    """Return g_scalar*G + q_scalar*Q by interleaved signed windows (Shamir's trick)."""
    terms = (
        (_wnaf(g_scalar, _G_WINDOW), _odd_multiples((GX, GY), _G_WINDOW)),
        (_wnaf(q_scalar, _Q_WINDOW), _odd_multiples(q, _Q_WINDOW)),
    )
    result = _INFINITY
    for index in range(max(len(digits) for digits, _ in terms) - 1, -1, -1):
        result = _double(result)
        for digits, table in terms:
            digit = digits[index] if index < len(digits) else 0
            if digit:
                x, y = table[abs(digit) >> 1]
                result = _add(result, (x, y if digit > 0 else P - y))
    return result
