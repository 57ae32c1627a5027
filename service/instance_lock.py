"""One process per data folder: an advisory lock that the kernel releases when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from service.errors import DataFolderInUse, DataFolderRefused


class InstanceLock:
    """Context manager that holds DATA/lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> "InstanceLock":
        """Take the lock.

        Raises:
            DataFolderInUse: another process holds it.
            DataFolderRefused: the folder cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataFolderRefused(
                f"the data folder {self._path.parent} cannot be written: {error.strerror}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise DataFolderInUse(f"another process works on {self._path.parent}: stop it first") from error
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock; the file stays, it says nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
