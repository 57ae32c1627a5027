"""How our own random values are stored: hashed. Owns that one function; leaves who may present them to the callers."""

import hashlib


def hash_token(value: str) -> str:
    """Hash one of our own random values for storage: with 128 bits of randomness and more it needs no slow hash."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
