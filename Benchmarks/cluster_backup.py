"""What small writes notice of a snapshot that is written to a file beside them."""

import json
import time
import urllib.request

from cluster_faults import Faults, OpenLoad, saturation
from cluster_rates import create_bucket
from clusters import Cluster
from figures import MIB, say

SHARE = 0.4


class Backup(Faults):
    def ask(self, cluster, member, path):
        """Has the member begin to write a snapshot."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{cluster.admin_ports[member]}/metadata/snapshots",
            data=json.dumps({"path": str(path), "with_data": True}).encode(), headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def progress(self, cluster, member):
        return json.loads(cluster.admin(member, "/metadata/snapshots")[1])

    def beside(self):
        objects, seconds = self.bench.options.objects, 10 if self.bench.options.quick else 30
        say(f"== Small writes beside a snapshot of {objects} objects that the leader writes to a file")
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            self.fill(cluster, everyone, objects)
            leader = self.settled(cluster)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 5) * SHARE
            with OpenLoad(cluster, everyone, rate, seconds, "before-") as before:
                pass
            path, served = self.directory / "bench.snap", None
            with OpenLoad(cluster, everyone, rate, seconds, "during-") as during:
                time.sleep(1)
                begin = time.monotonic()
                self.ask(cluster, leader, path)
                while time.monotonic() < begin + seconds:
                    found = self.progress(cluster, leader)
                    if found["state"] != "running":
                        served = time.monotonic() - begin
                        break
                    time.sleep(0.05)
            while found["state"] == "running":
                time.sleep(0.2)
                found = self.progress(cluster, leader)
            if found["state"] != "done":
                raise RuntimeError(f"no snapshot was written: {found}")
        if served is None:
            say(f"   it was still written when the load's {seconds} s were over")
        else:
            self.add(f"Snapshot of {objects} objects: written in", served, "s")
        self.add("Snapshot: size", found["bytes_total"] / MIB, "MiB")
        kept = during.figures["requests_per_second"] / rate
        self.add("Beside a snapshot: load, of what was asked", kept, "ratio", 0.98, at_least=True)
        self.add("Beside a snapshot: load's p99, of before", during.figures["p99_us"] / before.figures["p99_us"], "ratio", 2)
        self.add("Beside a snapshot: load's p99 before", before.figures["p99_us"] / 1000, "ms")
        self.add("Beside a snapshot: load's p99", during.figures["p99_us"] / 1000, "ms")
        self.add("Beside a snapshot: errors", before.figures["errors"] + during.figures["errors"], "requests", 1)
