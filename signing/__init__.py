"""Makes and judges PAdES signatures.

Read first: `model` (the words), `document` (the structure gate), `validation` (the process of EN 319 102-1), `creation`.
"""
