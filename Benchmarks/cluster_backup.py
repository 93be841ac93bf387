"""What small writes notice of a snapshot that is written to a file beside them."""

import json
import statistics
import subprocess
import time
import urllib.request

from cluster_faults import Faults, OpenLoad, address, saturation
from cluster_rates import BUCKET, create_bucket
from clusters import Cluster
from figures import BINARIES, MIB, say
from s3_client import S3Client

SHARE = 0.4
SECONDS_MAX = 600


class Backup(Faults):
    def ask(self, cluster, member, path, with_data):
        """Has the member begin to write a snapshot."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{cluster.admin_ports[member]}/metadata/snapshots",
            data=json.dumps({"path": str(path), "with_data": with_data}).encode(), headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def progress(self, cluster, member):
        return json.loads(cluster.admin(member, "/metadata/snapshots")[1])

    def restore(self, cluster, member, path, rate):
        """Has the cluster take the state of a file while small writes go on; how long that is, and how long the slowest of them waits."""
        with OpenLoad(cluster, range(cluster.count), rate, 30, "restore-") as beside:
            time.sleep(1)
            begin = time.monotonic()
            request = urllib.request.Request(
                f"http://127.0.0.1:{cluster.admin_ports[member]}/metadata/restores",
                data=json.dumps({"path": str(path)}).encode(), headers={"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=10).close()
            while (found := json.loads(cluster.admin(member, "/metadata/restores")[1]))["state"] == "running":
                time.sleep(0.05)
            seconds = time.monotonic() - begin
            if found["state"] != "done":
                raise RuntimeError(f"the snapshot was not restored: {found}")
        self.add("Snapshot restored in the running cluster in", seconds, "s")
        self.add("Beside it, the slowest write", beside.figures["max_us"] / 1000, "ms")
        self.add("Beside it, errors", beside.figures["errors"], "requests", 1)

    def program(self, what, *arguments):
        begin = time.monotonic()
        subprocess.run([BINARIES / "rustfs-metadata", *arguments], check=True, stdout=subprocess.DEVNULL)
        self.add(f"Snapshot: {what} in", time.monotonic() - begin, "s")

    def write(self, cluster, member, path, with_data):
        """Has the member write a snapshot; for how long it did, in seconds."""
        begin = time.monotonic()
        self.ask(cluster, member, path, with_data)
        while (found := self.progress(cluster, member))["state"] == "running":
            if time.monotonic() > begin + SECONDS_MAX:
                raise RuntimeError(f"it is still written after {SECONDS_MAX} s: {found}")
            time.sleep(0.02)
        if found["state"] != "done":
            raise RuntimeError(f"no snapshot was written: {found}")
        return time.monotonic() - begin

    def compare(self, cluster, what, rate, with_data):
        """Rounds of load alone, then beside snapshots that the leader writes one after the other; what is in the last of them."""
        seconds, everyone, leader = 6 if self.bench.options.quick else 12, range(cluster.count), cluster.leader()
        name = what.replace(" ", "-")
        path = self.directory / f"{name}.snap"
        before, during, spent, errors, kept = [], [], [], 0, []
        for number in range(self.bench.rounds):
            with OpenLoad(cluster, everyone, rate, seconds, f"{name}-before-{number}-") as alone:
                pass
            with OpenLoad(cluster, everyone, rate, seconds, f"{name}-during-{number}-") as beside:
                # The warm-up is over.
                time.sleep(1)
                begin = time.monotonic()
                while time.monotonic() < begin + seconds - 1:
                    path.unlink(missing_ok=True)
                    spent.append(self.write(cluster, leader, path, with_data))
            before.append(alone.figures["p99_us"] / 1000)
            during.append(beside.figures["p99_us"] / 1000)
            kept.append(beside.figures["requests_per_second"] / rate)
            errors += alone.figures["errors"] + beside.figures["errors"]
            say(f"   p99 alone {before[-1]:.1f} ms, beside {during[-1]:.1f} ms")
        seen = json.loads(
            subprocess.run(
                [BINARIES / "rustfs-metadata", "snapshot", "inspect", "--path", path, "--output", "json", "--quick"], check=True,
                stdout=subprocess.PIPE).stdout)
        ratio = statistics.median(one / other for one, other in zip(during, before))
        self.add(f"Snapshot {what}: {seen['objects']} objects in", statistics.median(spent), "s")
        self.add(f"Snapshot {what}: size", seen["bytes"] / MIB, "MiB")
        self.add(f"Beside it, {SHARE:.0%} of saturation", statistics.median(kept) * rate, "requests/s")
        self.add("Beside it, of what was asked", statistics.median(kept), "ratio", 0.98, at_least=True)
        self.add("Beside it, p99 of alone", ratio, "ratio", 2)
        self.add("Beside it, p99 alone", statistics.median(before), "ms")
        self.add("Beside it, p99", statistics.median(during), "ms")
        self.add("Beside it, errors", errors, "requests", 1)
        return path, seen

    def beside(self):
        objects = self.bench.options.objects
        say(f"== Small writes beside a snapshot of {objects} objects that the leader writes to a file, again and again")
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            self.fill(cluster, everyone, objects)
            self.settled(cluster)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 5) * SHARE
            _, seen = self.compare(cluster, "without data", rate, with_data=False)
            if seen["objects"] < objects:
                raise RuntimeError(f"the snapshot lacks objects: {seen}")
            client = S3Client(address(cluster, 0))
            client.put_long(f"/{BUCKET}/large", (64 if self.bench.options.quick else 512) * MIB)
            client.close()
            path, _ = self.compare(cluster, "with data", rate, with_data=True)
            self.restore(cluster, cluster.leader(), path, rate / 4)
            self.program("inspected", "snapshot", "inspect", "--path", path)
            self.program("restored", "restore", "--path", path, "--data-dir", self.directory / "restored")
