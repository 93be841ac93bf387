"""Measures the server against what the machine can do, in one run. Started by script/bench, which builds everything."""

import argparse
import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "Tests" / "EndToEndTests" / "support")]

from cluster_backup import Backup  # noqa: E402
from cluster_bodies import Bodies  # noqa: E402
from cluster_faults import Faults  # noqa: E402
from cluster_operations import Operations  # noqa: E402
from cluster_rates import Rates  # noqa: E402
from figures import BINARIES, MIB, Figures, load, processor_seconds, say, words  # noqa: E402
from s3_client import S3Client  # noqa: E402
from server import Server  # noqa: E402

# One run of the generator signs all its requests first; this bounds its memory and the age of its signatures.
FILL_BATCH = 100_000


@contextlib.contextmanager
def baseline():
    """http-baseline with as many event loops as the server has; its process and port."""
    command = [str(BINARIES / "http-baseline"), "--loops", str(os.cpu_count())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline().split()[1])
        finally:
            process.kill()


class Bench:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.directory)
        self.figures = Figures()
        self.rounds = options.rounds or (3 if options.quick else 5)
        self.seconds = options.seconds or (1 if options.quick else 3)
        self.long_bytes = (256 if options.quick else 2048) * MIB

    @contextlib.contextmanager
    def server(self):
        """A server on an empty directory, and a client of it."""
        data = self.directory / "data"
        shutil.rmtree(data, ignore_errors=True)
        server = Server(data).start()
        try:
            client = S3Client(server.address)
            yield server, client
            client.close()
        finally:
            server.stop()
            shutil.rmtree(data, ignore_errors=True)

    # Consensus.

    def raft(self):
        say("== Raft: the core alone, three nodes in one thread")
        for inflight, target in ((64, 300_000), (1024, 1_000_000)):
            rates = []
            for _ in range(self.rounds):
                output = subprocess.run(
                    [str(BINARIES / "raft-core"), "--inflight", str(inflight), "--seconds", str(self.seconds)],
                    check=True, stdout=subprocess.PIPE, text=True,
                ).stdout
                rates.append(words(output)["entries_per_second"])
            self.figures.add(
                f"Raft core: {inflight} in flight", statistics.median(rates), "entries/s", target, at_least=True
            )

    # GET and HEAD.

    def get(self):
        say("== GET and HEAD of 1 KiB against a handler that answers a constant")
        with self.server() as (server, client), baseline() as (constant, constant_port):
            client.create_bucket("bench")
            keys = 10_000
            load("put", server.address[1], keys=keys, seconds=600)
            targets = (server.process.pid, server.address[1]), (constant.pid, constant_port)
            for kind in ("get", "head"):
                rates, costs = ([], []), ([], [])
                for _ in range(self.rounds):
                    for index, (pid, port) in enumerate(targets):
                        before = processor_seconds(pid)
                        result = load(kind, port, keys=keys, seconds=self.seconds)
                        costs[index].append((processor_seconds(pid) - before) / result["all_requests"] * 1e6)
                        rates[index].append(result["requests_per_second"])
                name = kind.upper()
                ratio = statistics.median(ours / theirs for ours, theirs in zip(*rates))
                self.figures.add(f"{name}: requests/s, of the constant's", ratio, "ratio", 0.6, at_least=True)
                for who, rate, cost in zip(("server", "constant"), rates, costs):
                    self.figures.add(f"{name}: {who}", statistics.median(rate), "requests/s")
                    self.figures.add(f"{name}: {who}, CPU", statistics.median(cost), "µs/request")

    # PUT.

    def synced_appends(self, seconds):
        """Appends of 4 KiB, each with fdatasync, that one thread does per second on this disk."""
        path = self.directory / "appends"
        block = bytes(4096)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            count, start = 0, time.monotonic()
            while time.monotonic() - start < seconds:
                os.write(descriptor, block)
                os.fdatasync(descriptor)
                count += 1
            return count / (time.monotonic() - start)
        finally:
            os.close(descriptor)
            path.unlink()

    def put(self):
        say("== PUT of 1 KiB, each durable, against synced appends of one thread")
        ratios, rates, appends, costs = [], [], [], []
        with self.server() as (server, client):
            client.create_bucket("bench")
            for number in range(self.rounds):
                before = self.synced_appends(self.seconds / 2)
                spent = processor_seconds(server.process.pid)
                result = load(
                    "put", server.address[1], prefix=f"round-{number}-", keys=int(40_000 * self.seconds), seconds=self.seconds
                )
                costs.append((processor_seconds(server.process.pid) - spent) / result["all_requests"] * 1e6)
                after = self.synced_appends(self.seconds / 2)
                appends.append((before + after) / 2)
                rates.append(result["requests_per_second"])
                ratios.append(rates[-1] / appends[-1])
        self.figures.add("PUT: requests/s, of synced appends", statistics.median(ratios), "ratio", 3, at_least=True)
        self.figures.add("PUT: server", statistics.median(rates), "requests/s")
        self.figures.add("PUT: server, CPU", statistics.median(costs), "µs/request")
        self.figures.add("PUT: appends of 4 KiB with fdatasync", statistics.median(appends), "appends/s")

    # LIST.

    def fill(self, server, client, bucket, count, folder_size):
        """Puts `count` keys into folders of `folder_size`."""
        client.create_bucket(bucket)
        start = time.monotonic()
        for first in range(0, count, FILL_BATCH):
            load(
                "put", server.address[1], bucket=bucket, prefix=f"folder-{first // FILL_BATCH:03}-",
                folder_size=folder_size, keys=min(FILL_BATCH, count - first), size=64, seconds=3600,
            )
        say(f"   {bucket}: {count} objects in {time.monotonic() - start:.0f} s")

    def settle(self, server):
        """Waits until the store has compacted what was written: that is not what a page costs."""
        for _ in range(120):
            before = processor_seconds(server.process.pid)
            time.sleep(1)
            if processor_seconds(server.process.pid) - before < 0.02:
                return
        say("   the server did not come to rest")

    def page_cost(self, server, client, bucket, delimiter, count, marker):
        """Lists the whole bucket some times: CPU seconds a page, wall seconds a listing; medians of three."""
        costs, walls = [], []
        for _ in range(3):
            pages = repeats = 0
            before, start = processor_seconds(server.process.pid), time.monotonic()
            while pages < 100:
                found = 0
                for page in client.pages(bucket, delimiter):
                    found += page.count(marker)
                    pages += 1
                repeats += 1
                if found != count:
                    raise RuntimeError(f"{bucket}: listed {found} of {count}")
            walls.append((time.monotonic() - start) / repeats)
            costs.append((processor_seconds(server.process.pid) - before) / pages)
        return statistics.median(costs), statistics.median(walls)

    def fill_main(self, server, client):
        self.fill(server, client, "folders-of-10", self.options.objects, 10)

    def list(self, server, client):
        say("== LIST by pages of 1,000")
        objects = self.options.objects
        # As many objects in smaller and in larger folders, so that the folders' size is all that differs.
        for size in (1, 100, 1000):
            self.fill(server, client, f"folders-of-{size}", objects, size)
        self.settle(server)
        cost, wall = self.page_cost(server, client, "folders-of-10", None, objects, b"<Key>")
        self.figures.add(f"LIST: CPU a page, of {objects} keys", cost * 1e3, "ms", 2.5)
        self.figures.add("LIST: 1,000,000 keys by one client", wall * 1_000_000 / objects, "s", 5)
        folders = {}
        for size in (1, 10, 100, 1000):
            count = objects // size
            cost, _ = self.page_cost(server, client, f"folders-of-{size}", "/", count, b"<CommonPrefixes>")
            # A bucket of few folders does not fill a page.
            folders[size] = cost / min(count, 1000)
            self.figures.add(f"LIST with delimiter: CPU a folder, folders of {size}", folders[size] * 1e6, "µs")
        self.figures.add("LIST with delimiter: folders of 10, of those of 1", folders[10] / folders[1], "ratio", 1.2)
        # A folder larger than a block of the store costs one block to get past it, however large it is.
        self.figures.add("LIST with delimiter: folders of 1000, of those of 100", folders[1000] / folders[100], "ratio", 1.2)
        self.figures.add("LIST with delimiter: folders of 1000, of those of 1", folders[1000] / folders[1], "ratio", 2)

    # Memory.

    @contextlib.contextmanager
    def peak(self, server, found):
        """Puts into `found` how far VmRSS rose above what it was."""
        before = highest = server.resident_bytes()
        done = threading.Event()

        def watch():
            nonlocal highest
            while not done.wait(0.02):
                highest = max(highest, server.resident_bytes())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            found.append((highest - before) / MIB)

    def memory(self, server, client):
        say("== Memory")
        resident = server.resident_bytes() / MIB
        self.figures.add(f"Memory: resident with {self.options.objects} objects", resident, "MiB", 512)
        client.create_bucket("long")
        name = f"{self.long_bytes // MIB} MiB"
        for kind in ("PUT", "GET"):
            growth, start = [], time.monotonic()
            with self.peak(server, growth):
                if kind == "PUT":
                    client.put_long("/long/object", self.long_bytes)
                elif client.get_long("/long/object") != self.long_bytes:
                    raise RuntimeError("the long object came back with another length")
            self.figures.add(f"Memory: growth during {kind} of {name}", growth[0], "MiB", 64)
            self.figures.add(f"{kind} of {name}", self.long_bytes / MIB / (time.monotonic() - start), "MiB/s")

    # The Raft log.

    def raft_log_words(self, command, directory, **options):
        """Runs raft-log; its figures."""
        arguments = [str(BINARIES / "raft-log"), command, "--directory", str(directory)]
        for name, value in options.items():
            arguments += [f"--{name}", str(value)]
        return words(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def raft_log(self):
        say("== Raft log: entries of 256 B by 64 writers against synced writes of 4 KiB by one thread")
        directory = self.directory / "raft-log"
        shutil.rmtree(directory, ignore_errors=True)
        ratios, rates, blocks, groups = [], [], [], []
        for _ in range(self.rounds):
            blocks.append(self.raft_log_words("block-writes", directory / "blocks", seconds=self.seconds)["writes_per_second"])
            result = self.raft_log_words("append", directory / "append", seconds=self.seconds)
            rates.append(result["entries_per_second"])
            groups.append(result["entries_per_sync"])
            ratios.append(rates[-1] / blocks[-1])
        self.figures.add("Raft log: entries/s, of synced writes", statistics.median(ratios), "ratio", 10, at_least=True)
        self.figures.add("Raft log: entries", statistics.median(rates), "entries/s")
        self.figures.add("Raft log: entries in a synchronization", statistics.median(groups), "entries")
        self.figures.add("Raft log: synced writes of 4 KiB", statistics.median(blocks), "writes/s")
        say("== Raft log: recovery")
        size = (128 if self.options.quick else 1024) * MIB
        self.raft_log_words("fill", directory / "recovery", bytes=size)
        for name in ("cached", "from the disk"):
            speeds = []
            for _ in range(3):
                for path in (directory / "recovery").iterdir():
                    descriptor = os.open(path, os.O_RDONLY)
                    os.fsync(descriptor)
                    if name != "cached":
                        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(descriptor)
                speeds.append(self.raft_log_words("recover", directory / "recovery")["megabytes_per_second"])
            # A disk slower than the target bounds what is read from it, not what recovery costs.
            target = 500 if name == "cached" else None
            self.figures.add(
                f"Raft log: recovery of {size // MIB} MiB, {name}", statistics.median(speeds), "MB/s", target, at_least=True
            )
        shutil.rmtree(directory, ignore_errors=True)

    # The cluster.

    def cluster(self):
        rates, faults, bodies, operations = Rates(self), Faults(self), Bodies(self), Operations(self)
        backup = Backup(self)
        parts = {
            "etcd": rates.versus_etcd, "batches": rates.batches, "alone": rates.alone, "failover": faults.failover,
            "lag": faults.lag, "late": faults.late, "large": bodies.throughput, "large-memory": bodies.memory,
            "large-beside": bodies.beside, "watching": operations.watching, "transfers": operations.transfers,
            "backup": backup.beside,
        }
        for name in self.options.cluster_parts or parts:
            if name not in parts:
                raise SystemExit(f"script/bench: --only: {name} is none of {', '.join(parts)}")
            parts[name]()

    def run(self, part):
        self.directory.mkdir(parents=True, exist_ok=True)
        if part in ("raft", "all"):
            self.raft()
        if part in ("get", "all"):
            self.get()
        if part in ("put", "all"):
            self.put()
        if part in ("raft-log", "all"):
            self.raft_log()
        if part in ("cluster", "all"):
            self.cluster()
        if part in ("list", "memory", "all"):
            with self.server() as (server, client):
                say(f"== Filling a bucket with {self.options.objects} objects")
                self.fill_main(server, client)
                if part != "memory":
                    self.list(server, client)
                if part != "list":
                    self.memory(server, client)


def main():
    parser = argparse.ArgumentParser(prog="script/bench")
    parser.add_argument(
        "part", nargs="?", default="all", choices=["all", "raft", "raft-log", "get", "put", "cluster", "list", "memory"]
    )
    parser.add_argument("--only", dest="cluster_parts", type=lambda text: text.split(","))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--objects", type=int)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--directory", default=str(ROOT / ".build" / "bench"))
    options = parser.parse_args()
    if options.objects is None:
        options.objects = 50_000 if options.quick else 1_000_000
    if options.objects < 10_000 or options.objects % 10_000:
        parser.error("--objects: a multiple of 10,000")
    bench = Bench(options)
    say(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.2f}")
    bench.run(options.part)
    shutil.rmtree(bench.directory / "data", ignore_errors=True)
    sys.exit(0 if bench.figures.report() else 1)


if __name__ == "__main__":
    main()
