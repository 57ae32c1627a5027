"""TEMP SHIM"""
from idp import client_authentication as _c
from idp.client_authentication import *  # noqa


def read_presented_client(form, authorization, certificate=None):
    return _c.read_presented_client(form, authorization)
def verify_client(presented, party, config, *, at, certificate=None, anchors=b""):
    return _c.verify_client(presented, party, config, at=at)
