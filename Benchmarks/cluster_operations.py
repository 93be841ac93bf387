"""What it costs to watch a cluster, and to have another node lead it."""

import json
import statistics
import threading
import time
import urllib.request

from cluster_faults import BODY, OpenLoad, address, percentile, saturation
from cluster_rates import BUCKET, create_bucket
from clusters import Cluster
from figures import processor_seconds, say
from s3_client import S3Client

SHARE = 0.4
SCRAPES = 200


class Writer(threading.Thread):
    """One put after the other at a node that never leads; when each was acknowledged."""

    def __init__(self, cluster, member):
        super().__init__(daemon=True)
        self.client, self.times, self.failures, self.stopping = S3Client(address(cluster, member)), [], [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                status = self.client.status("PUT", f"/{BUCKET}/writer", BODY)
            except OSError as error:
                status = error
            if status == 200:
                self.times.append(time.monotonic())
            else:
                self.failures.append(status)

    def longest_gap(self, begin, end):
        times = [moment for moment in self.times if begin <= moment <= end]
        return max(later - earlier for earlier, later in zip(times, times[1:]))


class Operations:
    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "cluster"
        self.add = bench.figures.add

    def watching(self):
        say(f"== Watching a cluster of three at {SHARE:.0%} of saturation")
        seconds = 5 if self.bench.options.quick else 15
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 5) * SHARE
            times = []
            with OpenLoad(cluster, everyone, rate, seconds, "status-"):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    begin = time.monotonic()
                    cluster.status(len(times) % cluster.count)
                    times.append(time.monotonic() - begin)
                    time.sleep(0.02)
            self.add("Watching: GET /metadata/status, p99", percentile(times, 0.99) * 1000, "ms", 50)
            costs = [self.scrape(cluster, member) for member in everyone]
            self.add("Watching: CPU of a scrape", statistics.median(costs) * 1000, "ms", 5)

    def scrape(self, cluster, member):
        """Seconds of CPU, less what the node spends on doing nothing."""
        pid = cluster.pids[member]

        def spent(work):
            cpu, begin = processor_seconds(pid), time.monotonic()
            work()
            return processor_seconds(pid) - cpu, time.monotonic() - begin

        def many():
            for _ in range(SCRAPES):
                cluster.admin(member, "/metrics")

        busy, duration = spent(many)
        idle, _ = spent(lambda: time.sleep(duration))
        return (busy - idle) / SCRAPES

    def transfers(self):
        say(f"== Leadership is handed over at {SHARE:.0%} of saturation")
        times = 4 if self.bench.options.quick else 20
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 5) * SHARE
            writer = Writer(cluster, 0)
            gaps, calm = [], []
            with OpenLoad(cluster, everyone, rate, times + 4, "transfers-") as load:
                writer.start()
                time.sleep(2)
                for _ in range(times):
                    begin = time.monotonic()
                    calm.append(writer.longest_gap(begin - 0.5, begin))
                    # Node 1, where the writer writes, does not lead.
                    self.transfer(cluster, 3 if cluster.leader() == 1 else 2)
                    time.sleep(0.5)
                    gaps.append(writer.longest_gap(begin, begin + 0.5))
                    time.sleep(max(0, begin + 1 - time.monotonic()))
                writer.stopping.set()
                writer.join()
            if writer.failures or load.figures["errors"]:
                raise RuntimeError(f"requests failed: {writer.failures[:1]}, {load.figures['errors']} of the load")
            self.add("Transfer: longest wait of a writer at another node, median", statistics.median(gaps) * 1000, "ms", 100)
            self.add("Transfer: the same, the longest of all", max(gaps) * 1000, "ms")
            self.add("Transfer: longest wait in half a second without one, median", statistics.median(calm) * 1000, "ms")

    @staticmethod
    def transfer(cluster, target):
        request = urllib.request.Request(
            f"http://127.0.0.1:{cluster.admin_ports[0]}/metadata/leadership", data=json.dumps({"to": target}).encode(),
            headers={"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
