"""The composition root: settings, the app factory, the `gba-trust` command, keys, audit, database, pages.

Only this package joins the doors of the others; nothing below imports it. Read first: `app` (one visible list), `settings`.
"""
