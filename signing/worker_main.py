"""Entry point of the limited process: `python -m signing.worker_main SOCKET`.

Owns:    nothing but the start; a module of its own, so that pickled jobs name `signing.worker` and not `__main__`.
"""

import contextlib
import sys

from signing.worker import serve

if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve(sys.argv[1])
