"""Starts, watches, kills and restarts the real server."""

import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("RUSTFS_BINARY", ROOT / ".build" / "release" / "rustfs-metadata"))

USERS = {
    "root": ("rustfsadmin", "rustfsadmin"),
    "alice": ("ALICEACCESSKEY000001", "alice-secret-key-0000000000000000000001"),
    "bob": ("BOBACCESSKEY00000001", "bob-secret-key-000000000000000000000001"),
}
CANONICAL_IDS = {"alice": "a" * 64, "bob": "b" * 64}


def write_configuration(path, extra=""):
    """A configuration with two users besides root; `extra` is appended YAML at top level."""
    users = "".join(
        f"    - access_key: {USERS[name][0]}\n"
        f"      secret_key: {USERS[name][1]}\n"
        f"      canonical_id: {CANONICAL_IDS[name]}\n"
        f"      display_name: {name}\n"
        for name in ("alice", "bob")
    )
    path = pathlib.Path(path)
    path.write_text(f"metadata:\n  engine_type: local\ns3:\n  users:\n{users}{extra}")
    return path


class Server:
    """One server process over one data directory."""

    def __init__(self, data, configuration=None, arguments=(), environment=None):
        self.data = pathlib.Path(data)
        self.configuration = configuration
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.process = None
        self.return_code = None
        self.s3_url = None
        self.admin_url = None
        self.lines = []
        self._events = queue.Queue()

    # What the process is told.

    def command(self):
        command = [str(BINARY)]
        if self.configuration:
            command += ["--config", str(self.configuration)]
        command += ["--data", str(self.data), "--s3-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"]
        return command + self.arguments

    def start(self, wait=True, timeout=60):
        assert self.process is None, "already running"
        environment = {**os.environ, **self.environment}
        environment.pop("RUSTFS_ACCESS_KEY", None) if "RUSTFS_ACCESS_KEY" not in self.environment else None
        self._events = queue.Queue()
        self.return_code = None
        self.process = subprocess.Popen(
            self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
            env=environment, errors="replace",
        )
        for stream, name in ((self.process.stdout, "out"), (self.process.stderr, "err")):
            threading.Thread(target=self._read, args=(stream, name, self._events), daemon=True).start()
        if wait:
            self.wait_until_ready(timeout)
        return self

    def _read(self, stream, name, events):
        for line in stream:
            self.lines.append((name, line.rstrip("\n")))
            events.put((name, line.rstrip("\n")))
        events.put((name, None))

    def wait_until_ready(self, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            try:
                name, line = self._events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the server did not get ready:\n{self.log_tail()}") from None
            if line is None and name == "out":
                self.return_code = self.process.wait()
                raise RuntimeError(f"the server ended with {self.return_code}:\n{self.log_tail()}")
            if name != "out" or line is None:
                continue
            if line.startswith("S3 endpoint: "):
                self.s3_url = line.removeprefix("S3 endpoint: ").strip()
            elif line.startswith("Admin endpoint: "):
                self.admin_url = line.removeprefix("Admin endpoint: ").strip()
            elif line.strip() == "ready":
                return

    def stop(self, timeout=60, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.return_code = self.process.wait(timeout)
            self.process = None
        return self.return_code

    def kill(self):
        """`kill -9`, whatever the process is doing."""
        if self.process is not None:
            self.process.kill()
            self.return_code = self.process.wait()
            self.process = None

    def restart(self):
        self.kill()
        return self.start()

    # What can be seen of it.

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.s3_url)
        return parts.hostname, parts.port

    def log_tail(self, count=60):
        return "\n".join(f"{name}: {line}" for name, line in self.lines[-count:])

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def admin(self, path):
        with urllib.request.urlopen(self.admin_url + path, timeout=10) as reply:
            return reply.status, reply.read().decode()

    def body_files(self):
        """All files that hold bodies, finished or not."""
        root = self.data / "metadata" / "mx"
        return sorted(
            path for path in root.rglob("*")
            if path.is_file() and (len(path.name) == 32 or path.parent.name == "tmp")
        )


def wait_for(condition, timeout=20, what="condition"):
    """Waits until `condition()` is true; fails with `what` otherwise."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)
