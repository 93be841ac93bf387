"""Clients that put, read, delete and list a few hot objects on all nodes, and write down what they saw.

Each value is put once, so that an entity tag tells which one an object has. The hot keys are new ones every few seconds: each object then
has a history of some hundred operations, which the checker judges exactly, and listings grow.
"""

import collections
import hashlib
import http.client
import itertools
import json
import random
import re
import threading
import time

from support.light import LightClient, NotSent, Reply

BUCKETS = [f"chaos-{number}" for number in range(3)]
KEYS_PER_BUCKET = 2
EPOCH_SECONDS = 6
BODY_BYTES = (64, 4096)
CLIENT_TIMEOUT_SECONDS = 6
CALLS = [("put", 30), ("get", 34), ("delete", 10), ("putIfAbsent", 8), ("putIfMatch", 8), ("deleteIfMatch", 2), ("list", 8)]
UNSENT = Reply(0, {}, b"")
FAILURE_PAUSE_SECONDS = 0.05
ENTRY = re.compile(r"<Key>([^<]*)</Key>.*?<ETag>&quot;([0-9a-f]{32})&quot;</ETag>", re.DOTALL)


def body_of(value):
    """The only content that `value` ever stands for."""
    seed = hashlib.sha256(str(value).encode()).hexdigest().encode()
    size = BODY_BYTES[0] + int(seed[:8], 16) % (BODY_BYTES[1] - BODY_BYTES[0] + 1)
    return (seed * (size // len(seed) + 1))[:size]


class History:
    """Every operation, as lines for `rustfs-simulate linearize`. For several threads."""

    def __init__(self, path):
        self.path, self.file, self.lock = path, open(path, "w"), threading.Lock()
        self.values, self.tags = {}, {}
        self.numbers = itertools.count(1)
        self.counts = collections.Counter()
        self.violations = []

    def new_value(self):
        value = next(self.numbers)
        tag = hashlib.md5(body_of(value)).hexdigest()
        self.tags[value], self.values[tag] = tag, value
        return value

    def add(self, client, bucket, key, call, invoked, reply=None, returned=None, **fields):
        line = {"client": client, "bucket": bucket, "key": key, "call": call, "invoked": invoked, **fields}
        if reply is not None:
            line.update(reply=reply, returned=returned)
        with self.lock:
            self.file.write(json.dumps(line) + "\n")

    def add_read(self, client, bucket, key, invoked, returned, value):
        seen = {} if value is None else {"seen": value}
        self.add(client, bucket, key, "get", invoked, "absent" if value is None else "value", returned, **seen)

    def count(self, call, outcome):
        with self.lock:
            self.counts[call, outcome] += 1

    def violation(self, text):
        with self.lock:
            if text not in self.violations:
                self.violations.append(text)

    def close(self):
        self.file.close()

    def value_of(self, reply):
        """The value of a GET that succeeded; None, and a violation, if nobody ever put such bytes."""
        value = self.values.get(reply.etag)
        if value is None or reply.body != body_of(value):
            self.violation(f"a GET returned what was never put: ETag {reply.etag}, {len(reply.body)} bytes")
            return None
        return value

    def listed(self, text):
        """(key, value) of a page of a listing."""
        found = []
        for key, tag in ENTRY.findall(text):
            if tag in self.values:
                found.append((key, self.values[tag]))
            else:
                self.violation(f"a listing has {key} with the ETag {tag}, which was never put")
        return found


class Load:
    """All clients. `nodes` are the servers; `epoch_keys()` are the objects that are hot now."""

    def __init__(self, nodes, history, seed, clients, pause_seconds):
        self.nodes, self.history, self.pause_seconds = nodes, history, pause_seconds
        self.stopping = threading.Event()
        self.began = time.monotonic()
        # Newest value that anybody saw of an object, for conditions that have a chance.
        self.seen = {}
        self.used = set()
        self.threads = [Client(self, number, random.Random(f"{seed}/{number}")) for number in range(clients)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def prefix(self):
        return f"e{int((time.monotonic() - self.began) / EPOCH_SECONDS):05}/"

    @staticmethod
    def keys(prefix):
        return [f"{prefix}k{number}" for number in range(KEYS_PER_BUCKET)]


class Client(threading.Thread):
    def __init__(self, load, number, generator):
        super().__init__(daemon=True, name=f"client-{number}")
        self.load, self.history, self.number, self.generator = load, load.history, number, generator
        self.connections = {}
        self.node = load.nodes[number % len(load.nodes)]

    def run(self):
        names, weights = zip(*CALLS)
        while not self.load.stopping.is_set():
            call = self.generator.choices(names, weights)[0]
            bucket, prefix = self.generator.choice(BUCKETS), self.load.prefix()
            if call == "list":
                answered = self.list(bucket, prefix)
            else:
                key = self.generator.choice(Load.keys(prefix))
                self.load.used.add((bucket, key))
                answered = self.operate(call, bucket, key)
            # A client that was let down tries another node, as a load balancer would; others change now and then.
            if self.generator.random() < (0.02 if answered else 0.5):
                self.node = self.generator.choice(self.load.nodes)
            pause = self.generator.uniform(0, 2 * self.load.pause_seconds)
            self.load.stopping.wait(pause if answered else max(pause, FAILURE_PAUSE_SECONDS))
        for connection in self.connections.values():
            connection.close()

    def request(self, *arguments, **options):
        """The reply; UNSENT if no node has seen the request; None if it is not known what came of it."""
        connection = self.connections.get(self.node.number)
        if connection is None:
            connection = LightClient(self.node.s3_port, timeout=CLIENT_TIMEOUT_SECONDS)
            self.connections[self.node.number] = connection
        try:
            return connection.request(*arguments, **options)
        except NotSent:
            return UNSENT
        except (OSError, http.client.HTTPException):
            return None

    def operate(self, call, bucket, key):
        fields, headers, body, method = {}, {}, b"", {"get": "GET", "delete": "DELETE", "deleteIfMatch": "DELETE"}.get(call, "PUT")
        if call in ("putIfMatch", "deleteIfMatch"):
            expected = self.load.seen.get((bucket, key))
            if expected is None:
                return self.operate("get", bucket, key)
            fields["expected"] = expected
            headers["If-Match"] = f'"{self.history.tags[expected]}"'
        if call == "putIfAbsent":
            headers["If-None-Match"] = "*"
        if method == "PUT":
            fields["value"] = self.history.new_value()
            body = body_of(fields["value"])
        invoked = time.monotonic_ns()
        reply = self.request(method, f"/{bucket}/{key}", body=body, headers=headers)
        returned = time.monotonic_ns()
        outcome = self.judge(call, reply)
        self.history.count(call, outcome)
        if outcome in ("done", "value", "absent", "preconditionFailed"):
            if outcome == "value":
                fields["seen"] = self.history.value_of(reply)
                if fields["seen"] is None:
                    return True
            self.history.add(self.number, bucket, key, call, invoked, outcome, returned, **fields)
            if outcome in ("done", "value"):
                self.load.seen[bucket, key] = fields.get("seen", fields.get("value"))
        elif outcome == "unknown" and method != "GET":
            self.history.add(self.number, bucket, key, call, invoked, **fields)
        return outcome not in ("unknown", "unsent")

    def list(self, bucket, prefix):
        invoked = time.monotonic_ns()
        reply = self.request("GET", f"/{bucket}", query=f"list-type=2&prefix={prefix.replace('/', '%2F')}")
        returned = time.monotonic_ns()
        outcome = self.judge("list", reply)
        self.history.count("list", outcome)
        if outcome == "done":
            found = dict(self.history.listed(reply.body.decode()))
            for key in Load.keys(prefix):
                self.history.add_read(self.number, bucket, key, invoked, returned, found.get(key))
        return outcome not in ("unknown", "unsent")

    def judge(self, call, reply):
        """What a reply says of the operation: its result in the model's words, `refused` or `unsent` (it did nothing) or `unknown`."""
        if reply is None or reply.status in (500, 503):
            return "unknown"
        if reply.status in (200, 204):
            return "value" if call == "get" else "done"
        if reply.status == 404 and reply.code == "NoSuchKey":
            return "absent"
        if reply.status == 412:
            return "preconditionFailed"
        if reply is UNSENT:
            return "unsent"
        # A full disk: nothing was stored.
        if reply.status == 507:
            return "refused"
        self.history.violation(f"{call} was answered with {reply}")
        return "unknown"
