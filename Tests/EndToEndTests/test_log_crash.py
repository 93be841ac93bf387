"""`kill -9` at any instant takes no entry from the Raft log that was acknowledged, and leaves none that is torn."""

import random
import subprocess

from support.server import BINARY

RAFT_LOG = BINARY.parent / "raft-log"
ROUNDS = 6


def killed_after(directory, line_count):
    """Lets the writer run until it has said so many lines, kills it, and returns the newest index that it acknowledged."""
    process = subprocess.Popen([RAFT_LOG, "acknowledge", "--directory", directory], stdout=subprocess.PIPE)
    lines = [process.stdout.readline() for _ in range(line_count)]
    process.kill()
    # What it had said before it died, which may end within a line.
    rest = process.stdout.read().split(b"\n")[:-1]
    process.wait()
    process.stdout.close()
    assert process.returncode == -9
    return max((int(line) for line in lines + rest), default=0)


def check(directory):
    done = subprocess.run([RAFT_LOG, "check", "--directory", directory], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name: int(value) for name, value in (word.split("=") for word in done.stdout.split())}


def test_acknowledged_entries_survive_kill(tmp_path):
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    acknowledged = begun = 0
    for number in range(ROUNDS):
        # The first one dies while it begins the log, or a moment later.
        newest = killed_after(tmp_path / "log", 0 if number == 0 else generator.randint(0, 300))
        acknowledged = max(acknowledged, newest)
        found = check(tmp_path / "log")
        assert found["last"] >= acknowledged, f"seed {seed}, round {number}: {found}, acknowledged {acknowledged}"
        begun = max(begun, found["base"])
    # The rounds have come far enough to give up old files.
    assert acknowledged > 1000 and begun > 0
