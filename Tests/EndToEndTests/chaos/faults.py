"""The schedule of faults, drawn from the seed, and what each does to a running cluster."""

import collections
import dataclasses
import itertools
import os
import random
import shutil
import signal
import threading

from support import bodies
from support.bulk import put_many

# Kinds, and for how many seconds each lasts. The election timeout is one to two seconds.
KINDS = {
    "kill": (0.1, 4.0),
    "kill-all": (0.1, 1.0),
    "pause": (2.5, 5.0),
    "restart": (0.1, 2.0),
    "isolate": (2.5, 6.0),
    "halves": (2.5, 6.0),
    "one-way": (2.5, 6.0),
    "delay": (3.0, 7.0),
    "loss": (3.0, 7.0),
    "full-disk": (3.0, 6.0),
    "rot": (0.1, 1.0),
    "wipe": (4.0, 4.0),
    "far-behind": (140.0, 140.0),
}
# Kinds that have their own times.
RARE = ("wipe", "far-behind")
# More than the log keeps behind a snapshot. A node takes one a minute at most, and none in its first minute: the others are not stopped.
FAR_BEHIND_COUNT, FAR_BEHIND_BYTES = 1150, 128 * 1024
FAR_BEHIND_BUCKET = "far-behind"
STOPPING_PROCESSES = ("kill", "kill-all", "restart", "full-disk")
QUIET_SECONDS = (1.0, 3.0)
# How often the leader is chosen where a fault wants one node.
LEADER_SHARE = 0.6
OVERLAP_SHARE = 0.25
# Files of bodies that are damaged at once; one more is cut short, and one is deleted.
ROTTEN_FILES = 4
DELAY_MILLISECONDS = (10, 120)
LOSS_SHARE = (0.02, 0.15)


@dataclasses.dataclass
class Fault:
    number: int
    kind: str
    begin: float
    end: float
    # Everything that is random about it.
    generator: random.Random


def draw_schedule(seed, seconds, kinds, wipe=False, far_behind_every=1200):
    """Faults by their begin. Every kind comes once before one comes again; the last seconds are quiet."""
    generator, numbers = random.Random(seed), itertools.count()
    schedule, bag, now = [], [], generator.uniform(*QUIET_SECONDS)
    while True:
        if not bag:
            bag = generator.sample(kinds, len(kinds))
        kind = bag.pop()
        duration = generator.uniform(*KINDS[kind])
        if now + duration > seconds - 1:
            break
        schedule.append(Fault(next(numbers), kind, now, now + duration, random.Random(generator.getrandbits(64))))
        if generator.random() < OVERLAP_SHARE and duration > 1:
            now += generator.uniform(0.3, duration / 2)
        else:
            now += duration + generator.uniform(*QUIET_SECONDS)
    rare = [(seconds * 0.6, "wipe")] if wipe and seconds > 30 else []
    if seconds >= far_behind_every:
        rare += [(begin, "far-behind") for begin in range(30, int(seconds - KINDS["far-behind"][1]), int(far_behind_every))]
    for begin, kind in rare:
        if kind == "far-behind":
            end = begin + KINDS[kind][1]
            schedule = [
                fault for fault in schedule
                if fault.kind not in STOPPING_PROCESSES or fault.end < begin or fault.begin > end
            ]
        schedule.append(Fault(next(numbers), kind, begin, begin + KINDS[kind][0], random.Random(generator.getrandbits(64))))
    return sorted(schedule, key=lambda fault: (fault.begin, fault.number))


class Faults:
    """Begins and ends faults on a cluster. One thread."""

    def __init__(self, cluster, small_disks, note, seed):
        self.cluster, self.small_disks, self.note = cluster, small_disks, note
        self.counts, self.skipped = collections.Counter(), collections.Counter()
        self.rules = {}
        self.busy = {}
        self.proxy_counts = {}
        # The one node whose bodies rot: each of them is whole on another node of the quorum that has it.
        self.rotting = random.Random(seed).choice(cluster.nodes)
        # Nodes whose disk was full: they may have stopped, and are started again. And the one that was wiped.
        self.forgiven, self.removed = set(), set()

    # Choosing.

    def running(self):
        return [
            node for node in self.cluster.nodes
            if node.process is not None and node.number not in self.busy and node.number not in self.removed
        ]

    def choose(self, fault):
        """The leader or any node that no other fault has stopped; None if there is none."""
        candidates, dice = self.running(), fault.generator.random()
        leader = self.cluster.leader() if dice < LEADER_SHARE else None
        if leader in candidates:
            return leader
        return fault.generator.choice(candidates) if candidates else None

    # Beginning. Each returns what ends it, or None if nothing could be done.

    def begin(self, fault):
        ending = getattr(self, fault.kind.replace("-", "_"))(fault)
        if ending is None:
            self.skipped[fault.kind] += 1
            self.note(f"skipped {fault.kind}: no node is free for it")
        else:
            self.counts[fault.kind] += 1
        return ending

    def kill(self, fault):
        return self.stop_process(fault, "kill -9", lambda node: node.kill())

    def restart(self, fault):
        def terminate(node):
            code = node.stop()
            if code != 0:
                raise AssertionError(f"node {node.number} ended with {code} after SIGTERM")

        return self.stop_process(fault, "SIGTERM", terminate)

    def stop_process(self, fault, what, stop):
        node = self.choose(fault)
        if node is None:
            return None
        self.note(f"{what} node {node.number}")
        self.busy[node.number] = fault.kind
        stop(node)

        def end():
            del self.busy[node.number]
            node.start()
            self.note(f"started node {node.number}")

        return end

    def kill_all(self, fault):
        nodes = self.running()
        if not nodes:
            return None
        self.note(f"kill -9 all: {[node.number for node in nodes]}")
        for node in nodes:
            self.busy[node.number] = fault.kind
            node.process.kill()
        for node in nodes:
            node.kill()

        def end():
            for node in nodes:
                del self.busy[node.number]
                node.start()
            self.note("started all")

        return end

    def far_behind(self, fault):
        """A node is down until the others have written more than their logs keep: it needs a snapshot then."""
        end = self.stop_process(fault, "kill -9 for long", lambda node: node.kill())
        if end is None:
            return None
        stopping = threading.Event()

        def write():
            done = 0
            while done < FAR_BEHIND_COUNT and not stopping.is_set():
                node = self.choose(fault)
                try:
                    node.client().request("PUT", f"/{FAR_BEHIND_BUCKET}")
                    put_many(node.s3_port, FAR_BEHIND_BUCKET, [f"{number}" for number in range(done, done + 50)], bytes(FAR_BEHIND_BYTES))
                    done += 50
                except Exception:  # another fault: on some other node, then
                    stopping.wait(0.2)
            self.note(f"wrote {done} large objects while a node was down")

        writer = threading.Thread(target=write, daemon=True)
        writer.start()

        def finish():
            stopping.set()
            writer.join()
            end()

        return finish

    def pause(self, fault):
        node = self.choose(fault)
        if node is None:
            return None
        self.note(f"SIGSTOP node {node.number}")
        self.busy[node.number] = fault.kind
        node.process.send_signal(signal.SIGSTOP)

        def end():
            del self.busy[node.number]
            node.process.send_signal(signal.SIGCONT)
            self.note(f"SIGCONT node {node.number}")

        return end

    def full_disk(self, fault):
        nodes = [node for node in self.running() if node.number in self.small_disks]
        if not nodes:
            return None
        node = fault.generator.choice(nodes)
        self.note(f"full disk of node {node.number}")
        self.busy[node.number] = fault.kind
        self.forgiven.add(node.number)
        self.small_disks[node.number].fill()

        def end():
            self.small_disks[node.number].clear()
            del self.busy[node.number]
            status = node.status()
            code = node.ended()
            self.note(f"room for node {node.number}, which has {'ended with ' + str(code) if code is not None else 'gone on'}")
            if code is not None or (status and status["state"] == "stopped"):
                node.kill()
                node.start()
                self.note(f"started node {node.number} after its full disk")
            self.forgiven.discard(node.number)

        return end

    def rot(self, fault):
        node, generator = self.rotting, fault.generator
        files = sorted(bodies.bodies(node).values())
        if node.number in self.removed or len(files) < 3:
            return None
        *damaged, short, gone = generator.sample(files, min(len(files), ROTTEN_FILES + 2))
        try:
            for file in damaged:
                for _ in range(generator.randint(1, 3)):
                    bodies.flip(file, generator.randrange(file.stat().st_size))
            os.truncate(short, generator.randrange(short.stat().st_size))
        except OSError as error:
            self.note(f"a body went while it was being damaged ({error})")
        gone.unlink(missing_ok=True)
        self.note(f"rot on node {node.number}: {', '.join(file.name for file in damaged)}; short: {short.name}; gone: {gone.name}")
        return lambda: None

    def wipe(self, fault):
        node = self.choose(fault)
        if node is None or node is self.rotting or len(self.cluster.nodes) < 5 or self.removed:
            return None
        self.note(f"wiped disk of node {node.number}")
        self.removed.add(node.number)
        node.kill()
        if node.number in self.small_disks:
            for entry in os.scandir(node.data):
                shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
        else:
            shutil.rmtree(node.data)
        node.start()

        def end():
            # The members know another disk under this id: it may never be taken for a voter again. An operator leaves it out.
            status = node.status()
            if status is None or status["state"] not in ("forming", "waiting"):
                raise AssertionError(f"node {node.number} came back with a wiped disk, and is {status}")
            node.stop()
            self.note(f"node {node.number} was refused under its old id, and is left out")

        return end

    # The network.

    def network(self, fault, what, links, rule):
        self.note(f"{what}: {' '.join(f'{sender}→{receiver}' for sender, receiver in links)}")
        self.rules[fault.number] = (links, rule)
        self.apply_rules()

        def end():
            del self.rules[fault.number]
            # What was held arrives late, or is gone with its connection.
            cut = {frozenset(link) for link in links} if rule.get("hold") and fault.generator.random() < 0.5 else set()
            self.apply_rules(cut)
            self.note(f"healed {what}")

        return end

    def apply_rules(self, cut=()):
        merged = {}
        for links, rule in self.rules.values():
            for link in links:
                merged.setdefault(link, {}).update(rule)
        rules = [{"from": sender, "to": receiver, **rule} for (sender, receiver), rule in sorted(merged.items())]
        self.proxy_counts = self.cluster.proxy.apply(rules, [sorted(pair) for pair in cut])

    def all_numbers(self):
        return [node.number for node in self.cluster.nodes]

    def between(self, side):
        others = [number for number in self.all_numbers() if number not in side]
        return [link for one in side for other in others for link in ((one, other), (other, one))]

    def isolate(self, fault):
        node = self.choose(fault)
        return node and self.network(fault, f"isolated node {node.number}", self.between([node.number]), {"hold": True})

    def halves(self, fault):
        numbers = self.all_numbers()
        side = fault.generator.sample(numbers, fault.generator.randint(1, len(numbers) // 2))
        return self.network(fault, f"halves: {sorted(side)} and the others", self.between(side), {"hold": True})

    def one_way(self, fault):
        node = self.choose(fault)
        if node is None:
            return None
        is_outgoing = fault.generator.random() < 0.5
        links = [link for link in self.between([node.number]) if (link[0] == node.number) == is_outgoing]
        count = fault.generator.randint(1, len(links))
        way = "from" if is_outgoing else "to"
        return self.network(fault, f"one-way loss {way} node {node.number}", fault.generator.sample(links, count), {"hold": True})

    def some_links(self, fault):
        numbers = self.all_numbers()
        links = [(one, other) for one in numbers for other in numbers if one != other]
        return sorted(fault.generator.sample(links, fault.generator.randint(len(links) // 2, len(links))))

    def delay(self, fault):
        most = fault.generator.uniform(*DELAY_MILLISECONDS)
        return self.network(fault, f"delay up to {most:.0f} ms", self.some_links(fault), {"delay_ms": [0, most]})

    def loss(self, fault):
        share = fault.generator.uniform(*LOSS_SHARE)
        return self.network(fault, f"loss of {share:.0%}", self.some_links(fault), {"loss": share})
