"""A small file system for one node's data, so that it can be full."""

import os
import subprocess


class SmallDisk:
    """A file system in memory. Needs root: `subprocess.CalledProcessError` or OSError where it cannot be mounted."""

    CHUNK_BYTES = 1 << 20

    def __init__(self, path, size="1g"):
        self.path = path
        self.filler = path / "filler"
        path.mkdir(parents=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True, capture_output=True, text=True
        )

    @property
    def available(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leaving=0):
        """Takes all room but so many bytes, within one chunk."""
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while self.available > leaving:
                    file.write(bytes(min(self.CHUNK_BYTES, self.available - leaving)))
            except OSError:
                pass

    def clear(self):
        self.filler.unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)
