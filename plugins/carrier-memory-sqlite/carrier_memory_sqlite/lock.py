"""The lock on a state directory: one process writes to it at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from carrier_core import Unavailable

FILE = "carrier.lock"


class FolderLock:
    """Held from construction to :meth:`release`; the kernel releases it when the process dies, however it dies.

    The file holds the process id of the owner and stays behind: removing it could take the lock from under another.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise Unavailable(
                f"The state directory {folder} is in use by another process (pid {owner}).",
                remedy="Stop that one first, talk to it through its control socket, or choose another with --state.",
            ) from error
        except OSError:
            os.close(self._descriptor)
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let another process have the folder."""
        os.close(self._descriptor)
