"""A file system that a test may fill."""

import subprocess


class SmallDisk:
    """A file system in memory for one node's data. Needs root."""

    def __init__(self, path, size="768m"):
        self.path = path
        self.filler = path / "filler"
        path.mkdir(parents=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True, capture_output=True, text=True
        )

    def fill(self, free_bytes=0):
        """Takes all room that is left, but for so many bytes (of whole pages)."""
        with open(self.filler, "ab", buffering=0) as file:
            for piece in (1 << 20, 4096):
                try:
                    while True:
                        file.write(bytes(piece))
                except OSError:
                    pass
            file.truncate(max(0, file.tell() - free_bytes))

    def clear(self):
        self.filler.unlink(missing_ok=True)

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)
