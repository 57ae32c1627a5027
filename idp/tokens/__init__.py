"""The tokens that this provider mints, each in a file with its own gate: access tokens, ID tokens, logout tokens."""
