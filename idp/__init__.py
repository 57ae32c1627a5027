"""The OpenID Connect broker: provider to the portals, client of the three upstream identity providers.

Read first: `authorization` (what a request must be), `login` (the order of a login), `grants` (what a code is worth), `tokens`.
"""
