"""Large objects through a cluster of three: how fast, beside the disk itself, in how much memory, and what small writes notice."""

import os
import shutil
import statistics
import subprocess
import threading
import time

from cluster_faults import OpenLoad, address, saturation
from cluster_rates import BUCKET, create_bucket
from clusters import Cluster, wait_until
from figures import BINARIES, MIB, say
from s3_client import S3Client

SHARE = 0.4


class Bodies:
    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "cluster"
        self.add = bench.figures.add
        self.size = (64 if bench.options.quick else 256) * MIB

    # Throughput.

    def disk(self):
        """MB/s of each of three files that dd writes at once."""
        directory = self.bench.directory / "dd"
        directory.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        writers = [
            subprocess.Popen(
                ["dd", "if=/dev/zero", f"of={directory / str(number)}", "bs=1M", f"count={self.size // MIB}", "conv=fsync"],
                stderr=subprocess.DEVNULL)
            for number in range(3)
        ]
        for writer in writers:
            if writer.wait():
                raise RuntimeError("dd failed")
        speed = self.size / (time.monotonic() - begin) / 1e6
        shutil.rmtree(directory)
        return speed

    def plain_get(self, path):
        """MB/s at which NIOHTTP1's own server sends a file, on one connection."""
        command = [str(BINARIES / "http-baseline"), "--loops", str(os.cpu_count()), "--file", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                client = S3Client(("127.0.0.1", int(process.stdout.readline().split()[1])))
                client.get_long("/")
                return self.speed(lambda: client.get_long("/"))
            finally:
                process.kill()

    def speed(self, transfer):
        begin = time.monotonic()
        transfer()
        return self.size / (time.monotonic() - begin) / 1e6

    def throughput(self):
        say(f"== Objects of {self.size // MIB} MiB through three nodes")
        puts, disks, gets, remote, plains = [], [], [], [], []
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            clients = [S3Client(address(cluster, member)) for member in range(3)]
            for number in range(self.bench.rounds):
                path = f"/{BUCKET}/large-{number}"
                disks.append(self.disk())
                puts.append(self.speed(lambda: clients[0].put_long(path, self.size)))
                clients[0].get_long(path)
                gets.append(self.speed(lambda: clients[0].get_long(path)))
                remote.append(self.speed(lambda: clients[1].get_long(path)))
                files = sorted((self.directory / "0" / "metadata" / "mx").glob("*/*/*"), key=lambda file: file.stat().st_mtime)
                plains.append(self.plain_get(files[-1]))
                say(
                    f"   PUT {puts[-1]:.0f} MB/s (dd, three files at once: {disks[-1]:.0f}), "
                    f"GET {gets[-1]:.0f} (plain handler: {plains[-1]:.0f})")
        self.add("Bodies: PUT", statistics.median(puts), "MB/s")
        self.add("Bodies: PUT, of dd with fsync of three files at once", self.ratio(puts, disks), "ratio", 0.6, at_least=True)
        self.add("Bodies: GET on one connection", statistics.median(gets), "MB/s")
        self.add("Bodies: GET, of a plain NIOHTTP1 handler with the same file", self.ratio(gets, plains), "ratio", 0.5, at_least=True)
        self.add("Bodies: GET at another node", statistics.median(remote), "MB/s")

    @staticmethod
    def ratio(ours, theirs):
        return statistics.median(one / other for one, other in zip(ours, theirs))

    # Memory.

    def memory(self):
        count, size = (16 if self.bench.options.quick else 64), 64 * MIB
        say(f"== Memory with {count} uploads of {size // MIB} MiB at once")
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            failures, peak = [], 0

            def upload(number):
                try:
                    client = S3Client(address(cluster, number % 3))
                    client.put_long(f"/{BUCKET}/upload-{number}", size)
                    client.close()
                except OSError as error:
                    failures.append(error)

            threads = [threading.Thread(target=upload, args=(number,)) for number in range(count)]
            begin = time.monotonic()
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                peak = max(peak, *cluster.resident_bytes())
                time.sleep(0.05)
            spent = time.monotonic() - begin
        if failures:
            raise RuntimeError(f"{len(failures)} uploads failed: {failures[0]}")
        self.add(f"Bodies: {count} uploads of 64 MiB at once", count * size / spent / 1e6, "MB/s")
        self.add("Bodies: resident memory of the largest node meanwhile", peak / MIB, "MiB", 512)

    # What small writes notice.

    def beside(self):
        seconds = 10 if self.bench.options.quick else 30
        large = (1 if self.bench.options.quick else 4) << 30
        say("== Small writes beside a large upload, and beside a repair")
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 5) * SHARE
            with OpenLoad(cluster, everyone, rate, seconds, "before-") as before:
                pass
            client = S3Client(address(cluster, 0))
            with OpenLoad(cluster, everyone, rate, seconds, "upload-") as upload:
                begin = time.monotonic()
                client.put_long(f"/{BUCKET}/large", large)
                self.add("Beside small writes: upload", large / (time.monotonic() - begin) / 1e6, "MB/s")
            self.compare("a large upload", rate, before, upload)
            late = (cluster.leader() + 1) % cluster.count
            cluster.end(late)
            shutil.rmtree(self.directory / str(late) / "metadata" / "mx")
            cluster.begin(late)
            cluster.wait_ready(late)
            with OpenLoad(cluster, everyone, rate, seconds, "repair-") as repair:
                begin = time.monotonic()
                while time.monotonic() < begin + seconds and cluster.status(late)["bodies"]["missing"]:
                    time.sleep(0.2)
                repaired = cluster.status(late)["bodies"]
                if not repaired["repaired"] and not repaired["missing"]:
                    raise RuntimeError("nothing was repaired")
            self.compare("a repair", rate, before, repair)
            wait_until(lambda: cluster.status(late)["bodies"]["missing"] == 0, 600, "the node is repaired")

    def compare(self, what, rate, before, during):
        self.add(f"Small writes beside {what}, of what was asked", during.figures["requests_per_second"] / rate, "ratio", 0.98,
                 at_least=True)
        self.add(f"Small writes beside {what}: p99, of before", during.figures["p99_us"] / before.figures["p99_us"], "ratio", 2)
        self.add(f"Small writes beside {what}: p99", during.figures["p99_us"] / 1000, "ms")
        self.add(f"Small writes beside {what}: errors", during.figures["errors"], "requests", 1)
