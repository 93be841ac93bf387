"""What a cluster of three does a second, beside etcd on the same disk; only one of the two runs at a time."""

import statistics
import subprocess

from clusters import Cluster, EtcdCluster
from figures import ROOT, load, load_command, run_load, say
from s3_client import S3Client

ETCD_LOAD = ROOT / ".build" / "bench-tools" / "etcd-load"
SIZE = 256
BUCKET = "bench"
# A generator that takes more of a processor than this may itself be what is measured.
GENERATOR_LOAD_MAX = 0.7


def create_bucket(cluster):
    client = S3Client(("127.0.0.1", cluster.s3_ports[0]))
    client.create_bucket(BUCKET)
    client.close()


class Ours:
    """Loads a cluster of this server."""

    name = "cluster"

    def __init__(self, directory, **replication):
        self.cluster = Cluster(directory, **replication)
        self.prefixes = 0

    def __enter__(self):
        self.cluster.__enter__()
        create_bucket(self.cluster)
        return self

    def __exit__(self, *_):
        self.cluster.__exit__()

    def prefix(self):
        self.prefixes += 1
        return f"run-{self.prefixes}-"

    def put(self, clients, seconds, **options):
        options = {"keys": int(20_000 * (seconds + 1)), "prefix": self.prefix(), **options}
        return load_command("put", self.cluster.s3_ports, clients, size=SIZE, seconds=seconds, warm_up=1, **options)

    def fill(self, keys):
        load("put", *self.cluster.s3_ports, size=SIZE, keys=keys, seconds=600)

    def get(self, clients, seconds, keys):
        return load_command("get", self.cluster.s3_ports, clients, seconds=seconds, keys=keys)


class Local(Ours):
    """A server without a cluster."""

    def __init__(self, directory):
        super().__init__(directory, count=1, engine="local")


class Theirs:
    """Loads etcd."""

    name = "etcd"

    def __init__(self, directory):
        self.cluster = EtcdCluster(directory)
        self.prefixes = 0

    def __enter__(self):
        self.cluster.__enter__()
        return self

    def __exit__(self, *_):
        self.cluster.__exit__()

    def command(self, kind, clients, **options):
        # As many connections as etcd's own measurements have: ten clients share one.
        connections = max(1, clients // (10 * self.cluster.count))
        command = [str(ETCD_LOAD), "-endpoints", self.cluster.endpoints, "-clients", str(clients)]
        command += ["-connections", str(connections), "-size", str(SIZE)]
        for name, value in options.items():
            command += [f"-{name}", str(value)]
        return [*command, kind]

    def put(self, clients, seconds):
        self.prefixes += 1
        return self.command("put", clients, seconds=seconds, keys=1 << 40, prefix=f"run-{self.prefixes}-")

    def fill(self, keys):
        run_load(self.command("put", 64, seconds=600, keys=keys))

    def get(self, clients, seconds, keys):
        return self.command("get", clients, seconds=seconds, keys=keys)


def measured(side, command):
    """Runs a generator: its figures, with the CPU in µs that an operation costs each member."""
    before = side.cluster.processor_seconds()
    figures = run_load(command)
    spent = [after - then for after, then in zip(side.cluster.processor_seconds(), before)]
    figures["cpu_us"] = sum(spent) / len(spent) / figures["all_requests"] * 1e6
    figures["cpu_us_max"] = max(spent) / figures["all_requests"] * 1e6
    return figures


class Rates:
    """Puts and gets of both sides; medians of some rounds, in which the sides take turns."""

    def __init__(self, bench):
        self.bench = bench
        self.directory = bench.directory / "cluster"
        self.found = {}

    def note(self, side, what, figures):
        self.found.setdefault((side.name, what), []).append(figures)
        say(
            f"   {side.name}, {what}: {figures['requests_per_second']:.0f}/s, p50 {figures['p50_us'] / 1000:.2f} ms, "
            f"p99 {figures['p99_us'] / 1000:.2f} ms, CPU {figures['cpu_us']:.0f} µs a member, "
            f"generator {figures['generator_load']:.2f} of a processor"
        )
        if figures["generator_load"] > GENERATOR_LOAD_MAX:
            say(f"   {side.name}, {what}: the generator takes much of a processor: the figure is a lower bound")

    def median(self, side, what, name):
        return statistics.median(figures[name] for figures in self.found[side, what])

    def ratio(self, what, name):
        """Ours over theirs: the median of the rounds' ratios."""
        pairs = zip(self.found["cluster", what], self.found["etcd", what])
        return statistics.median(ours[name] / theirs[name] for ours, theirs in pairs)

    def versus_etcd(self):
        say(f"== Cluster of three against etcd: {subprocess.getoutput('etcd --version').splitlines()[0]}")
        puts = {1: "PUT by 1 client", 64: "PUT by 64 clients", 1000: "PUT by 1000 clients"}
        read, keys = "GET by 64 clients", 10_000
        for _ in range(self.bench.rounds):
            for kind in (Ours, Theirs):
                with kind(self.directory) as side:
                    for clients, what in puts.items():
                        self.note(side, what, measured(side, side.put(clients, self.bench.seconds)))
                    side.fill(keys)
                    self.note(side, read, measured(side, side.get(64, self.bench.seconds, keys)))
        add, rate = self.bench.figures.add, "requests_per_second"
        add("PUT by 1 client: p50, of etcd's", self.ratio(puts[1], "p50_us"), "ratio", 0.6)
        add("PUT by 64 clients: puts/s, of etcd's", self.ratio(puts[64], rate), "ratio", 2.5, at_least=True)
        add("PUT by 1000 clients: puts/s, of etcd's", self.ratio(puts[1000], rate), "ratio", 1.5, at_least=True)
        add("Linearizable GET by 64 clients: gets/s, of etcd's", self.ratio(read, rate), "ratio", 2, at_least=True)
        for what in (*puts.values(), read):
            for side in ("cluster", "etcd"):
                add(f"{what}: {side}", self.median(side, what, rate), "requests/s")
                add(f"{what}: {side}, p50", self.median(side, what, "p50_us") / 1000, "ms")
                add(f"{what}: {side}, p99", self.median(side, what, "p99_us") / 1000, "ms")
                add(f"{what}: {side}, CPU of each member", self.median(side, what, "cpu_us"), "µs/request")
                add(f"{what}: {side}, CPU of the busiest member", self.median(side, what, "cpu_us_max"), "µs/request")
                add(f"{what}: {side}, generator", self.median(side, what, "generator_load"), "processors")

    def batches(self):
        say("== Cluster: many operations in a proposal against one at a time")
        rates, tails = {}, []
        for _ in range(self.bench.rounds):
            for name, clients, size in (("many", 64, 100), ("one", 64, 1), ("turns", 1, 1)):
                with Ours(self.directory, max_batch_size=size) as side:
                    figures = measured(side, side.put(clients, self.bench.seconds))
                rates.setdefault(name, []).append(figures["requests_per_second"])
                if name == "many":
                    tails.append(figures["p99_us"] / 1000)
        add = self.bench.figures.add
        add("Batches: 64 clients", statistics.median(rates["many"]), "requests/s", 10_000, at_least=True)
        add("Batches: 64 clients, p99", statistics.median(tails), "ms", 20)
        for name, what in (("one", "64 clients, max_batch_size 1"), ("turns", "1 client, max_batch_size 1")):
            add(f"Batches: {what}", statistics.median(rates[name]), "requests/s")
        one = statistics.median(many / one for many, one in zip(rates["many"], rates["one"]))
        turns = statistics.median(many / turns for many, turns in zip(rates["many"], rates["turns"]))
        add("Batches: 64 clients, of those with max_batch_size 1", one, "ratio")
        # A single client's writes go one by one through all of it.
        add("Batches: 64 clients, of one proposal at a time", turns, "ratio", 5, at_least=True)

    def alone(self):
        say("== A cluster of one against engine_type: local")
        ratios, rates = [], {"replicated": [], "local": []}
        for _ in range(self.bench.rounds):
            for name in rates:
                with Ours(self.directory, count=1) if name == "replicated" else Local(self.directory) as side:
                    figures = measured(side, side.put(64, self.bench.seconds))
                rates[name].append(figures["requests_per_second"])
                say(f"   {name}: {rates[name][-1]:.0f}/s, CPU {figures['cpu_us']:.0f} µs")
            ratios.append(rates["replicated"][-1] / rates["local"][-1])
        add = self.bench.figures.add
        add("Cluster of one: PUT by 64 clients, of the local engine's", statistics.median(ratios), "ratio", 0.9, at_least=True)
        for name, found in rates.items():
            add(f"Cluster of one: {name}", statistics.median(found), "requests/s")
