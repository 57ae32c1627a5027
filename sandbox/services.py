"""Which trust services of the sandbox PKI the three operators list, as drafts for the first publication.

Owns:    names and identifiers of the listed services. Leaves certificates to `pki`, the ceremony to `operators`.
"""

CA_SERVICES = ("hk-rsa", "mo-p256", "gd-rsa", "gd-sm2")
HK_PREFIX = "2.16.344.8.2.2008.810.2"
PREFIX_ARCS = {"hk-rsa": HK_PREFIX, "mo-p256": "2.999.446", "gd-rsa": "2.999.156", "gd-sm2": "2.999.156"}
