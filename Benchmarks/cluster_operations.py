"""What it costs to watch a cluster."""

import statistics
import time

from cluster_faults import OpenLoad, percentile, saturation
from cluster_rates import create_bucket
from clusters import Cluster
from figures import processor_seconds, say

SHARE = 0.4
SCRAPES = 200


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
        pid = cluster.pids()[member]

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
