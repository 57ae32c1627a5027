"""Checkpoints of a SQLite write-ahead log from a thread of its own, so that the event loop need not wait for the disk.

Owns:    when the log is copied back into the database file. Leaves transactions to `sqlite_loop`.
Rules:   1 PASSIVE: copies what it can and holds nobody up; a complete one lets the next writer start the log from its beginning
         2 rarely: that next writer syncs the log's new header (32 bytes), the only sync that is left to the event loop
         3 TRUNCATE, which takes the writer's lock, only when the log's file has grown past `TRUNCATE_BYTES`
Spec:    https://sqlite.org/wal.html cl. 2.2 and 3; https://sqlite.org/pragma.html#pragma_wal_checkpoint
"""

import sqlite3
import threading
import time
from pathlib import Path

CHECK_INTERVAL_S = 0.25
COMMITS_DUE = 2_000
"""A checkpoint is due after so many commits (about 16 MB of log) …"""
AGE_DUE_S = 5.0
"""… or so long after the first commit that has none."""
TRUNCATE_BYTES = 64 * 1024 * 1024


class WalCheckpoints:
    """The thread; `note_commit` is called by the writer, `close` ends it with a last checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._commits = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note_commit(self) -> None:
        """Count a commit; the first one starts the thread."""
        self._commits += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread; what it does at that moment is finished first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        done, last = 0, time.monotonic()
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            while not self._stop.wait(CHECK_INTERVAL_S):
                waiting, now = self._commits - done, time.monotonic()
                if waiting == 0:
                    last = now
                elif waiting >= COMMITS_DUE or now - last >= AGE_DUE_S:
                    done, last = self._commits, now
                    self._checkpoint(connection)
        finally:
            connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if self._wal.stat().st_size > TRUNCATE_BYTES:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (sqlite3.Error, OSError):
            return  # disk full or busy: the log keeps everything, the next turn tries again; the writer meets the error itself
