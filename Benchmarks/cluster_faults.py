"""What clients see of a cluster whose leader dies or stops, and of followers that are behind."""

import signal
import statistics
import subprocess
import threading
import time

from cluster_rates import BUCKET, SIZE, create_bucket
from clusters import Cluster, ProxiedCluster, wait_until
from figures import MIB, load, load_command, run_load, say, words
from s3_client import S3Client

SHARE = 0.4
BODY = b"b" * SIZE


def address(cluster, member):
    return "127.0.0.1", cluster.s3_ports[member]


def percentile(values, fraction):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))]


class OpenLoad:
    """Puts that come at a rate whatever becomes of them, beside what the `with` block does."""

    def __init__(self, cluster, members, rate, seconds, prefix, clients=64):
        self.command = load_command(
            "put", [cluster.s3_ports[member] for member in members], clients, size=SIZE, rate=rate, seconds=seconds,
            warm_up=1, keys=int(rate * (seconds + 2)) + clients, prefix=prefix,
        )
        self.figures = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        # It signs its requests first.
        time.sleep(1)
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        output = self.process.communicate()[0]
        if kind is None:
            self.figures = words(output)


def saturation(cluster, members, seconds):
    """Puts per second of 64 clients that send as fast as answers come."""
    ports = [cluster.s3_ports[member] for member in members]
    options = {"size": SIZE, "seconds": seconds, "warm_up": 1, "keys": int(20_000 * (seconds + 1))}
    return load("put", *ports, prefix="saturation-", **options)["requests_per_second"]


class Probe(threading.Thread):
    """One PUT at a node; when it was acknowledged, and with what."""

    def __init__(self, cluster, member, path):
        super().__init__()
        self.client = S3Client(address(cluster, member))
        self.path = path
        self.status = self.answered_at = None

    def run(self):
        try:
            self.status = self.client.status("PUT", self.path, BODY)
        except OSError as error:
            self.status = str(error)
        self.answered_at = time.monotonic()
        self.client.close()


class Faults:
    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "cluster"
        self.add = bench.figures.add

    # The leader goes.

    def until_acknowledged(self, cluster, leader, fault, path):
        """Milliseconds from the fault to the first write that was sent after it and acknowledged; whether any write failed."""
        probes = [Probe(cluster, member, path) for member in range(cluster.count) if member != leader]
        begin = time.monotonic()
        fault()
        for probe in probes:
            probe.start()
        for probe in probes:
            probe.join()
        answered = [probe.answered_at for probe in probes if probe.status == 200]
        if not answered:
            raise RuntimeError(f"no survivor acknowledged a write: {[probe.status for probe in probes]}")
        return (min(answered) - begin) * 1000, sum(probe.status != 200 for probe in probes)

    def settled(self, cluster):
        """All nodes are ready, and follow one leader."""
        for member in range(cluster.count):
            cluster.wait_ready(member)
        leader = cluster.leader()

        def is_level():
            document = cluster.status(leader)
            lags = [node.get("lag_entries", 0) for node in document["nodes"] if node["id"] != leader + 1]
            return len(lags) == cluster.count - 1 and max(lags) < 100

        wait_until(is_level, 60, "the followers have caught up")
        return leader

    def leader_ends(self, name, times, target, fault, mend, kind=Cluster):
        """`fault(cluster, leader)` some times under a light load of the survivors; `mend` undoes it."""
        waits, failed, longest = [], 0, 0
        with kind(self.directory) as cluster:
            create_bucket(cluster)
            for number in range(times):
                leader = self.settled(cluster)
                survivors = [member for member in range(cluster.count) if member != leader]
                with OpenLoad(cluster, survivors, 200, 4, f"{name.split()[0]}-{number}-", clients=32) as background:
                    time.sleep(1.5)
                    wait, lost = self.until_acknowledged(
                        cluster, leader, lambda: fault(cluster, leader), f"/{BUCKET}/probe-{number}"
                    )
                    waits.append(wait)
                    failed += lost
                failed += background.figures["errors"]
                longest = max(longest, background.figures["max_us"] / 1000)
                mend(cluster, leader)
        say(f"   {', '.join(f'{wait:.0f}' for wait in sorted(waits))} ms")
        self.add(f"Leader {name}: to the next acknowledged write, median of {times}", statistics.median(waits), "ms", target)
        self.add(f"Leader {name}: longest", max(waits), "ms")
        self.add(f"Leader {name}: longest of the writes under way", longest, "ms")
        self.add(f"Leader {name}: failed requests on survivors", failed, "requests", 1)

    def failover(self):
        say("== The leader is killed, stopped, and cut off from the others")
        times = 3 if self.bench.options.quick else 10

        def start_again(cluster, leader):
            cluster.end(leader, signal.SIGKILL)
            cluster.begin(leader)

        # The median of the others: twice the election timeout, which is 1,000 ms.
        self.leader_ends("killed", times, 300, lambda cluster, leader: cluster.send(leader, signal.SIGKILL), start_again)
        self.leader_ends(
            "stopped", max(2, times // 2), 2000, lambda cluster, leader: cluster.send(leader, signal.SIGSTOP),
            lambda cluster, leader: cluster.send(leader, signal.SIGCONT),
        )
        self.leader_ends(
            "cut off", max(2, times // 2), 2000, lambda cluster, leader: cluster.cut_off(leader),
            lambda cluster, leader: cluster.heal(), kind=ProxiedCluster,
        )

    # Followers behind.

    def visibility(self, cluster, number):
        """Milliseconds from a write's acknowledgement on one node until each other one shows it."""
        writer = number % cluster.count
        path, found = f"/{BUCKET}/lag-{number}", []
        if self.clients[writer].status("PUT", path, BODY) != 200:
            raise RuntimeError(f"{path} was not written")
        begin = time.monotonic()
        for member, client in enumerate(self.clients):
            if member != writer:
                while client.status("HEAD", path) != 200:
                    pass
                found.append((time.monotonic() - begin) * 1000)
        return found

    def lag(self):
        seconds = 5 if self.bench.options.quick else 30
        say("== Lag of the followers")
        with Cluster(self.directory, read_consistency="eventual") as cluster:
            create_bucket(cluster)
            everyone = range(cluster.count)
            rate = saturation(cluster, everyone, 2 if self.bench.options.quick else 10) * SHARE
            leader, seen, told, resident = cluster.leader(), [], [], 0
            self.clients = [S3Client(address(cluster, member)) for member in everyone]
            with OpenLoad(cluster, everyone, rate, seconds, "open-") as background:
                end, number = time.monotonic() + seconds, 0
                while time.monotonic() < end:
                    seen += self.visibility(cluster, number)
                    told += [node["lag_ms"] for node in cluster.status(leader)["nodes"] if node.get("lag_ms") is not None]
                    resident = max(resident, *cluster.resident_bytes())
                    number += 1
                    time.sleep(0.02)
        self.add(f"Lag at {SHARE:.0%} of saturation: load", background.figures["requests_per_second"], "requests/s")
        self.add("Lag: load's p99", background.figures["p99_us"] / 1000, "ms")
        self.add(f"Lag: a write is seen by eventual reads elsewhere, p99 of {len(seen)}", percentile(seen, 0.99), "ms", 100)
        self.add(f"Lag: lag_ms in the leader's status, p99 of {len(told)}", percentile(told, 0.99), "ms", 100)
        self.add("Lag: resident memory of the largest node", resident / MIB, "MiB", 1024)
        self.add("Lag: errors", background.figures["errors"], "requests", 1)

    # A node that comes late.

    def fill(self, cluster, members, count):
        ports = [cluster.s3_ports[member] for member in members]
        for first in range(0, count, 100_000):
            keys = min(100_000, count - first)
            run_load(load_command("put", ports, 200, size=64, keys=keys, seconds=3600, prefix=f"fill-{first}-"))

    def late(self):
        objects, seconds = self.bench.options.objects, 10 if self.bench.options.quick else 30
        say(f"== A node with {objects} objects behind")
        with Cluster(self.directory) as cluster:
            create_bucket(cluster)
            leader = self.settled(cluster)
            late = (leader + 1) % cluster.count
            present = [member for member in range(cluster.count) if member != late]
            cluster.end(late)
            begin = time.monotonic()
            self.fill(cluster, present, objects)
            say(f"   {objects} objects in {time.monotonic() - begin:.0f} s")
            rate = saturation(cluster, present, 2 if self.bench.options.quick else 5) * SHARE
            with OpenLoad(cluster, present, rate, seconds, "before-") as before:
                pass
            with OpenLoad(cluster, present, rate, seconds, "during-") as during:
                time.sleep(1)
                begin = time.monotonic()
                cluster.begin(late)
                cluster.wait_ready(late, seconds=600)
                # A linearizable read there needs everything that was written before it.
                client = S3Client(address(cluster, late))
                if client.status("HEAD", f"/{BUCKET}/saturation-0") != 200:
                    raise RuntimeError("the late node lacks an object")
                served = time.monotonic() - begin
        self.add(f"Late node: {objects} objects behind, serves after", served, "s", 15)
        if served > seconds:
            say(f"   it served after the load's {seconds} s: the load's figures are of a part")
        kept = during.figures["requests_per_second"] / rate
        self.add("Late node: load meanwhile, of what was asked", kept, "ratio", 0.98, at_least=True)
        self.add("Late node: load's p99 meanwhile, of before", during.figures["p99_us"] / before.figures["p99_us"], "ratio", 2)
        self.add("Late node: load's p99 before", before.figures["p99_us"] / 1000, "ms")
        self.add("Late node: errors", before.figures["errors"] + during.figures["errors"], "requests", 1)
