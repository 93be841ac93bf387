"""One run: `python3 -m chaos --minutes 2 --seed 1`, by way of script/chaos."""

import argparse
import collections
import heapq
import itertools
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import traceback

from support.cluster import Cluster
from support.disk import SmallDisk

from chaos import bodies, checks
from chaos.faults import KINDS, RARE, Faults, draw_schedule
from chaos.workload import BUCKETS, History, Load

SMALL_DISK_NODE = 2
# Of clients; the server's default would keep them waiting for most of a fault.
REQUEST_TIMEOUT_MILLISECONDS = 4000
RESERVED_BYTES = 16 << 20
# The scrub goes over all bodies so often, and uploads that came to nothing are swept so soon, that a run of two minutes sees both.
BODY_SETTINGS = "{scrub_period: 30, orphan_grace: 20}"
BODY_FIGURES = ("repaired", "repaired_blocks", "damaged_blocks", "abandoned")


class Watcher(threading.Thread):
    """Asks a node again and again who leads, and what it has done about bodies."""

    def __init__(self, node, leaders, states):
        super().__init__(daemon=True)
        self.node, self.leaders, self.states, self.stopping = node, leaders, states, threading.Event()
        # Of all its starts; each counts anew.
        self.bodies, self.last = collections.Counter(), {}

    def run(self):
        while not self.stopping.wait(0.2):
            if self.node.process is None:
                continue
            status = self.node.status(timeout=1)
            if not status:
                continue
            self.states[self.node.number, status["state"]] += 1
            found = {name: status["bodies"][name] for name in BODY_FIGURES}
            is_new = any(found[name] < self.last.get(name, 0) for name in found)
            self.bodies.update({name: count - (0 if is_new else self.last.get(name, 0)) for name, count in found.items()})
            self.last = found
            # A follower may say what it has just ceased to believe; only the leader's own word is evidence.
            if status.get("leader_id") == self.node.number:
                self.leaders[status["term"]].add(self.node.number)


class Run:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"chaos-{options.seed}-"))
        self.began = time.monotonic()
        self.journal = open(self.directory / "journal.txt", "w", buffering=1)
        self.history = History(self.directory / "history.jsonl")
        self.small_disks, self.problems = {}, []
        self.leaders, self.states = collections.defaultdict(set), collections.Counter()
        self.cluster = None

    def note(self, text):
        line = f"{time.monotonic() - self.began:8.2f} {text}"
        self.journal.write(line + "\n")
        if self.options.verbose:
            print(line, flush=True)

    def problem(self, text):
        self.note(f"PROBLEM {text}")
        self.problems.append(text)

    def run(self):
        kinds = [kind for kind in KINDS if kind not in RARE]
        if not self.options.body_clients:
            kinds.remove("rot")
        small = self.directory / f"disk-{SMALL_DISK_NODE}"
        try:
            # What is put and kept grows with the run.
            self.small_disks[SMALL_DISK_NODE] = SmallDisk(small, size=f"{1024 + int(24 * self.options.minutes)}m")
        except Exception as error:
            kinds.remove("full-disk")
            print(f"chaos: no full disks in this run, a small file system cannot be mounted ({error})", flush=True)
        places = {number: disk.path / "data" for number, disk in self.small_disks.items()}
        self.cluster = Cluster(
            self.directory, self.options.nodes, proxied=True, seed=self.options.seed, data_directories=places,
            raft={"max_log_entries": self.options.max_log_entries}, storage={"reserved_bytes": RESERVED_BYTES},
            replication={"request_timeout_ms": REQUEST_TIMEOUT_MILLISECONDS, "bodies": BODY_SETTINGS},
        )
        self.cluster.start()
        for bucket in [*BUCKETS, bodies.BUCKET]:
            reply = self.cluster.nodes[0].client().request("PUT", f"/{bucket}")
            assert reply.status == 200, reply
        self.faults = Faults(self.cluster, self.small_disks, self.note, self.options.seed)
        self.load = Load(
            self.cluster.nodes, self.history, self.options.seed, self.options.clients, self.options.pause_ms / 1000)
        self.body_load = bodies.BodyLoad(
            self.cluster.nodes, self.history, self.options.seed, self.options.body_clients, self.options.body_mib << 20)
        self.watchers = [Watcher(node, self.leaders, self.states) for node in self.cluster.nodes]
        for watcher in self.watchers:
            watcher.start()
        self.load.start()
        self.body_load.start()
        seconds = self.options.minutes * 60
        self.play(
            draw_schedule(
                self.options.seed, seconds, kinds, wipe=self.options.nodes >= 5,
                far_behind_every=self.options.far_behind_every * 60), seconds)
        self.heal()
        self.check(kinds)

    def play(self, schedule, seconds):
        """Begins and ends the faults at their times."""
        order, begin = itertools.count(), time.monotonic()
        events = [(fault.begin, next(order), "begin", fault) for fault in schedule]
        heapq.heapify(events)
        while time.monotonic() - begin < seconds and not self.problems:
            now = time.monotonic() - begin
            while events and events[0][0] <= now:
                _, _, what, item = heapq.heappop(events)
                if what == "end":
                    item()
                elif ending := self.faults.begin(item):
                    heapq.heappush(events, (now + item.end - item.begin, next(order), "end", ending))
            self.look_for_dead()
            time.sleep(0.02)
        for _, _, what, item in sorted(events, key=lambda event: event[:2]):
            if what == "end":
                item()

    def look_for_dead(self):
        for node in self.cluster.nodes:
            code = node.ended()
            if code is not None and node.number not in self.faults.forgiven:
                self.problem(f"node {node.number} ended by itself with {code}: {node.log()[-1500:]}")
                node.process = None

    def heal(self):
        self.members = [node for node in self.cluster.nodes if node.number not in self.faults.removed]
        if not self.problems:
            began = time.monotonic()
            self.cluster.wait_until_ready(120, self.members)
            self.note(f"all are ready {time.monotonic() - began:.1f} s after the end of the faults")
        self.load.stop()
        self.body_load.stop()
        self.note("the clients have stopped")

    def check(self, kinds):
        self.index, self.digest, verdict, problems = checks.check_everything(
            self.cluster, self.members, self.history, self.load)
        if self.options.body_clients:
            self.body_verdict = checks.check_bodies(self.cluster, self.members, self.history, self.body_load)
            problems += [text for text in self.history.violations if text not in problems]
        self.look_for_dead()
        for watcher in self.watchers:
            watcher.stopping.set()
            watcher.join()
        self.note(verdict)
        print(verdict)
        for text in problems:
            self.problem(text)
        for term, nodes in self.leaders.items():
            if len(nodes) > 1:
                self.problem(f"term {term} had several leaders: {sorted(nodes)}")
        self.check_evidence(kinds)

    def check_evidence(self, kinds):
        """A run in which a fault did nothing has proved nothing."""
        counts, network = self.faults.counts, self.faults.cluster.proxy.apply()
        self.network = network
        if self.options.minutes < 2:
            return
        for kind in kinds:
            if not counts[kind]:
                self.problem(f"there was no fault of the kind {kind}")
        for kinds_of, figure in (
            (("isolate", "halves", "one-way"), "held_chunks"), (("delay",), "delayed_chunks"), (("loss",), "lost_chunks"),
        ):
            if any(counts[kind] for kind in kinds_of) and not network[figure]:
                self.problem(f"{kinds_of} held up nothing")
        if counts["kill"] + counts["pause"] + counts["isolate"] >= 5 and len(self.leaders) < 3:
            self.problem(f"the leader hardly changed: terms {sorted(self.leaders)}")
        if counts["wipe"] and not any("wrongIncarnation" in node.log() or "A peer is refused" in node.log() for node in self.members):
            self.problem("nobody refused the wiped disk")
        if counts["far-behind"] and not any("A snapshot is the state now" in node.log() for node in self.members):
            self.problem("no node that was far behind has got a snapshot")
        if sum(count for (_, outcome), count in self.history.counts.items() if outcome == "done") < 10 * self.options.minutes:
            self.problem("hardly any write succeeded")
        if self.options.body_clients:
            self.check_body_evidence()

    def check_body_evidence(self):
        done = self.history.counts
        for call in ("put", "get", "copy", "delete", "multipart"):
            if not done[f"body {call}", "done"]:
                self.problem(f"no {call} of a large body succeeded")
        figures = {watcher.node: watcher.bodies for watcher in self.watchers}
        rotten = figures[self.faults.rotting]
        if self.faults.counts["rot"] and not (rotten["damaged_blocks"] and rotten["repaired_blocks"] and rotten["repaired"]):
            self.problem(f"nobody noticed that bodies rot on node {self.faults.rotting.number}: {dict(rotten)}")
        if self.faults.counts["kill"] and not any(
            found["repaired"] for node, found in figures.items() if node is not self.faults.rotting
        ):
            self.problem("no node that was away has fetched a body")

    def summary(self):
        print(f"chaos: seed {self.options.seed}, {self.options.nodes} nodes, {self.options.minutes:g} minutes, {self.options.clients} clients")
        outcomes = sorted({outcome for _, outcome in self.history.counts})
        print("  operations    " + "".join(f"{outcome:>20}" for outcome in outcomes))
        for call in sorted({call for call, _ in self.history.counts}):
            print(f"  {call:<14}" + "".join(f"{self.history.counts[call, outcome]:>20}" for outcome in outcomes))
        print(f"  faults        {dict(sorted(self.faults.counts.items()))}, skipped {dict(self.faults.skipped)}")
        print(f"  network       {getattr(self, 'network', self.faults.proxy_counts)}")
        print(f"  leaders       {len(self.leaders)} terms with a leader, by {sorted(set().union(*self.leaders.values()))}")
        print(f"  starts        {({node.number: node.starts for node in self.cluster.nodes})}")
        installed = {node.number: node.log().count("A snapshot is the state now") for node in self.cluster.nodes}
        print(f"  snapshots     installed {installed}")
        print(f"  bodies        {({watcher.node.number: dict(watcher.bodies) for watcher in self.watchers})}, rot on node {self.faults.rotting.number}")
        if hasattr(self, "body_verdict"):
            print(f"                {self.body_verdict}")
        if hasattr(self, "digest"):
            print(f"  state         index {self.index}, digest {self.digest} on {len(self.members)} nodes")

    def close(self):
        if self.cluster:
            self.cluster.close()
        if self.problems:
            # What the small disk has would be gone with it.
            for number, disk in self.small_disks.items():
                disk.clear()
                shutil.copytree(disk.path, self.directory / f"kept-disk-{number}", dirs_exist_ok=True)
        for disk in self.small_disks.values():
            disk.close()
        if self.problems or self.options.keep:
            print(f"Kept: {self.directory} (history.jsonl, journal.txt, each node's data and server.log)")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def parse():
    parser = argparse.ArgumentParser(prog="script/chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the schedule of faults and of what the clients do")
    parser.add_argument("--nodes", type=int, choices=(3, 5), default=3)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--pause-ms", type=float, default=30, help="between two operations of a client, on average")
    parser.add_argument("--body-clients", type=int, default=3, help="clients of large bodies")
    parser.add_argument("--body-mib", type=int, default=200, help="of large bodies on each disk, at most")
    parser.add_argument("--max-log-entries", type=int, default=2000, help="after which a node takes a snapshot")
    parser.add_argument(
        "--far-behind-every", type=float, default=20, help="minutes between two nodes that fall far behind, in runs that are as long")
    parser.add_argument("--keep", action="store_true", help="keep the directory though all is well")
    parser.add_argument("--verbose", action="store_true", help="print each fault")
    return parser.parse_args()


def main():
    run = Run(parse())
    try:
        run.run()
    except Exception as error:
        traceback.print_exc()
        run.problem(f"{type(error).__name__}: {error}")
    finally:
        if hasattr(run, "faults"):
            run.summary()
        run.close()
    for problem in run.problems:
        print(f"FAILED {problem}")
    print("chaos: " + ("FAILED" if run.problems else "passed"))
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
