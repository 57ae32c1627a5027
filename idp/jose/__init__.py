"""JSON Object Signing and Encryption as this provider speaks it: few algorithms, strict reading, fast signing."""
