"""The connectors: each speaks one upstream's wire and keeps the `idp.upstream.Connector` Protocol.

Owns:    nothing itself. One package per upstream; no connector imports another.
"""
