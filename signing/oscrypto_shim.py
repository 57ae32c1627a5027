"""Lets oscrypto 1.3.0, which endesive needs, load on OpenSSL 3.0.10 and later.

Owns:    one regular expression of oscrypto: it reads the patch level of OpenSSL as one digit, so that "3.0.19" is not found and
         the import fails. Upstream: wbond/oscrypto issues #75 and #78, mended on its main branch (#76), never released.
Rules:   must be imported before endesive, and only by `endesive_engine`; `re.search` is put back at once.
"""

import re
from typing import Any

_OSCRYPTO_PATTERN = "\\b(\\d\\.\\d\\.\\d[a-z]*)\\b"
_WIDER_PATTERN = "\\b(\\d+\\.\\d+\\.\\d+[a-z]*)\\b"
_search = re.search


def _search_wider(pattern: Any, string: Any, flags: Any = 0) -> Any:  # noqa: ANN401 - stands in for re.search
    return _search(_WIDER_PATTERN if pattern == _OSCRYPTO_PATTERN else pattern, string, flags)


re.search = _search_wider
try:
    import oscrypto.asymmetric as _loaded  # noqa: F401 - loading it is the purpose
finally:
    re.search = _search
