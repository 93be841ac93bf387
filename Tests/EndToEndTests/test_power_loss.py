"""What was not synchronized is gone after a loss of power; what was acknowledged is not.

`kill -9` leaves the page cache, so that it cannot show a missing fsync. Here servers run over a disk that undoes unsynchronized writes
(lossy-disk/lossy_disk.c), and lose power under load, again and again.
"""

import itertools
import pathlib
import random
import shutil
import signal
import subprocess
import sys

import pytest

from chaos.checks import check_everything
from chaos.workload import BUCKETS, History, Load
from support.cluster import Cluster, wait_until

SOURCE = pathlib.Path(__file__).parent / "lossy-disk" / "lossy_disk.c"


@pytest.fixture(scope="session")
def lossy_disk(workspace):
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    assert compiler, "a C compiler is needed"
    library = workspace / "lossy_disk.so"
    subprocess.run(
        [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl", "-lpthread"], check=True
    )
    return library


PROGRAM = """
import os, signal, sys
directory = sys.argv[1]
kept = os.open(directory + "/kept", os.O_RDWR | os.O_CREAT, 0o600)
os.write(kept, b"old." * 1000)
os.fsync(kept)
os.pwrite(kept, b"NEW.", 2000)
os.write(kept, b"tail")
direct = os.open(directory + "/direct", os.O_RDWR | os.O_CREAT | os.O_DSYNC, 0o600)
os.write(direct, b"synchronous")
names = os.open(directory, os.O_RDONLY)
os.fsync(names)
open(directory + "/nameless", "w").close()
os.rename(directory + "/direct", directory + "/renamed")
print("written", flush=True)
while True:
    signal.pause()
"""


def test_the_disk_loses_what_was_not_synchronized_and_nothing_else(lossy_disk, tmp_path):
    outcomes = set()
    for seed in range(24):
        directory = tmp_path / str(seed)
        directory.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={"LD_PRELOAD": str(lossy_disk), "LOSSY_DISK_DIRECTORY": str(directory), "LOSSY_DISK_SEED": str(seed * 7919)},
        )
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGUSR1)
        assert process.wait(30) == -signal.SIGKILL
        process.stdout.close()
        kept = (directory / "kept").read_bytes()
        assert kept[:2000] == b"old." * 500 and kept[2004:4000] == b"old." * 499
        assert kept[2000:2004] in (b"old.", b"NEW.") and kept[4000:] in (b"", b"tail", bytes(4))
        renamed = (directory / "renamed").exists()
        assert (directory / ("renamed" if renamed else "direct")).read_bytes() == b"synchronous"
        outcomes.add((kept[2000:2004], kept[4000:], renamed, (directory / "nameless").exists()))
    assert {each[0] for each in outcomes} == {b"old.", b"NEW."}
    assert {b"", b"tail"} <= {each[1] for each in outcomes}
    assert {each[2:] for each in outcomes} == {(True, True), (False, True), (False, False)}


class Outage:
    """A cluster over lossy disks, and clients that never stop."""

    def __init__(self, directory, lossy_disk, count, seed, lies=False):
        self.cluster = Cluster(
            directory, count, raft={"max_log_entries": 200}, replication={"request_timeout_ms": 3000}, storage={"reserved_bytes": 0})
        self.generator, self.losses = random.Random(seed), itertools.count(1)
        for node in self.cluster.nodes:
            node.environment = {"LD_PRELOAD": str(lossy_disk), "LOSSY_DISK_DIRECTORY": str(node.data), "LOSSY_DISK_SEED": "1"}
            if lies:
                node.environment["LOSSY_DISK_LIES"] = "1"
        self.cluster.start()
        for bucket in BUCKETS:
            assert self.cluster.nodes[0].client().request("PUT", f"/{bucket}").status == 200
        self.history = History(self.cluster.directory / "history.jsonl")
        self.load = Load(self.cluster.nodes, self.history, seed, clients=6, pause_seconds=0.002)
        self.load.start()

    def written(self):
        return sum(count for (_, outcome), count in self.history.counts.items() if outcome == "done")

    def lose_power(self, nodes, writes):
        """After so many more writes; then the nodes start again."""
        before = self.written()
        wait_until(lambda: self.written() >= before + writes, 60, "writes under load")
        for node in nodes:
            node.process.send_signal(signal.SIGUSR1)
        for node in nodes:
            assert node.process.wait(30) == -signal.SIGKILL
            node.process = None
        for node in nodes:
            node.environment["LOSSY_DISK_SEED"] = str(next(self.losses) * 104729)
            node.start()
        self.cluster.wait_until_ready(60)

    def undone(self):
        return sum(
            int(line.split("lost, ")[1].split()[0]) for node in self.cluster.nodes for line in node.log().splitlines()
            if line.startswith("lossy-disk: power lost")
        )

    def finish(self):
        self.load.stop()
        return check_everything(self.cluster, self.cluster.nodes, self.history, self.load)

    def close(self):
        self.load.stopping.set()
        self.cluster.close()


@pytest.mark.parametrize("count,losing", [(1, 1), (3, 1), (3, 2), (3, 3)])
def test_no_acknowledged_write_is_lost_with_the_power(lossy_disk, tmp_path, count, losing):
    outage = Outage(tmp_path, lossy_disk, count, seed=count * 10 + losing)
    try:
        for _ in range(4):
            nodes = outage.generator.sample(outage.cluster.nodes, losing)
            outage.lose_power(nodes, writes=outage.generator.randint(20, 150))
        *_, problems = outage.finish()
        assert not problems, problems
        assert outage.undone() > 0, "the disk had nothing to lose: the test shows nothing"
    finally:
        outage.close()


def test_a_disk_that_lies_is_noticed(lossy_disk, tmp_path):
    """Without it the tests above might pass over a disk that loses nothing."""
    outage = Outage(tmp_path, lossy_disk, 1, seed=5, lies=True)
    try:
        with pytest.raises(AssertionError):
            for _ in range(3):
                outage.lose_power(outage.cluster.nodes, writes=50)
            *_, problems = outage.finish()
            assert not problems, problems
    finally:
        outage.close()
