"""Clients of large bodies: each has keys that nobody else writes, so that it knows what may be there.

A write whose outcome is not known may take effect later, or never: its key is written no more then, only deleted, and may hold whatever
such writes have put. Contents tell whether they are whole.
"""

import dataclasses
import http.client
import itertools
import random
import threading

from support.bodies import INLINE_BYTES, number_in, self_describing
from support.light import LightClient, NotSent

BUCKET = "chaos-bodies"
KIB, MIB = 1 << 10, 1 << 20
# The sizes of bodies, from a range each, and how often they are drawn.
SIZES = [((200 * KIB, MIB), 80), ((MIB, 8 * MIB), 17), ((16 * MIB, 64 * MIB), 3)]
PARTS = (2, 3)
# All parts but the last have at least this.
PART_BYTES = 5 * MIB
PART_TRIES = 6
CALLS = [("put", 36), ("get", 40), ("delete", 8), ("copy", 6), ("multipart", 10)]
# How often a key that was written before is written again.
REUSED_SHARE = 0.75
TIMEOUT_SECONDS = 20
FAILURE_PAUSE_SECONDS = 0.1


@dataclasses.dataclass
class Key:
    path: str
    # What may be there, by number, and how long it is; None is nothing.
    possible: dict
    # Of these, what was put by writes that may take effect yet.
    doubtful: dict = dataclasses.field(default_factory=dict)
    # Bytes that it may take of each disk. What comes late, after a deletion, is rare and not counted.
    held: int = 0

    @property
    def is_settled(self):
        return not self.doubtful

    def settle(self, number, size):
        """It is known what is there; what is in doubt may still come."""
        self.possible = {number: size} | self.doubtful
        self.held = size

    def doubt(self, number, size):
        self.doubtful[number] = size
        self.possible[number] = size
        self.held += size


class BodyLoad:
    """All clients of large bodies. `bytes_max` bounds what they may have on each disk."""

    def __init__(self, nodes, history, seed, clients, bytes_max):
        self.nodes, self.history, self.bytes_max = nodes, history, bytes_max
        self.stopping = threading.Event()
        self.numbers = itertools.count(1)
        self.lock, self.coming = threading.Lock(), 0
        self.threads = [BodyClient(self, number, random.Random(f"{seed}/body/{number}")) for number in range(clients)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    @property
    def keys(self):
        return [key for thread in self.threads for key in thread.keys]

    def reserve(self, size):
        """Whether a body of that size may be put; `release` must follow when it is among the keys, or not there."""
        with self.lock:
            held = sum(thread.held for thread in self.threads)
            if held + self.coming + size > self.bytes_max:
                return False
            self.coming += size
            return True

    def release(self, size):
        with self.lock:
            self.coming -= size


class BodyClient(threading.Thread):
    def __init__(self, load, number, generator):
        super().__init__(daemon=True, name=f"body-client-{number}")
        self.load, self.history, self.number, self.generator = load, load.history, number, generator
        self.keys, self.held = [], 0
        self.connections = {}

    def run(self):
        names, weights = zip(*CALLS)
        while not self.load.stopping.is_set():
            call = self.generator.choices(names, weights)[0]
            outcome = getattr(self, call)()
            if outcome is not None:
                self.history.count("body " + call, outcome)
            pause = self.generator.uniform(0.05, 0.3)
            self.load.stopping.wait(FAILURE_PAUSE_SECONDS + pause if outcome in ("unknown", "unsent") else pause)
        for connection in self.connections.values():
            connection.close()

    def request(self, *arguments, **options):
        """(outcome, reply) of a request to some node: `done`, `absent`, `refused` and `unsent` (it did nothing), `unknown`."""
        node = self.generator.choice(self.load.nodes)
        connection = self.connections.setdefault(node.number, LightClient(node.s3_port, timeout=TIMEOUT_SECONDS))
        try:
            reply = connection.request(*arguments, **options)
        except NotSent:
            return "unsent", None
        except (OSError, http.client.HTTPException):
            return "unknown", None
        if reply.status in (200, 204):
            return "done", reply
        if reply.status == 404 and reply.code in ("NoSuchKey", "NoSuchUpload"):
            return "absent", reply
        if reply.status == 507:
            return "refused", reply
        if reply.status not in (500, 503):
            self.history.violation(f"{arguments[:2]} of a large body was answered with {reply}")
        return "unknown", reply

    # Choosing.

    def size(self):
        ranges, weights = zip(*SIZES)
        return self.generator.randint(*self.generator.choices(ranges, weights)[0])

    def target(self):
        """A key to write: one that is known, or a new one."""
        settled = [key for key in self.keys if key.is_settled]
        if settled and self.generator.random() < REUSED_SHARE:
            return self.generator.choice(settled)
        self.keys.append(Key(f"/{BUCKET}/c{self.number}/{len(self.keys):05}", {None: 0}))
        return self.keys[-1]

    def some_key(self, condition):
        found = [key for key in self.keys if condition(key)]
        return self.generator.choice(found) if found else None

    # Calls. Each returns its outcome, or None if there was nothing to do.

    def put(self):
        size = self.size()
        return self.write(size, lambda key, number: self.request("PUT", key.path, body=self_describing(number, size)))

    def copy(self):
        source = self.some_key(lambda key: key.is_settled and None not in key.possible)
        if source is None:
            return None
        ((number, size),) = source.possible.items()

        def send(key, _):
            return self.request("PUT", key.path, headers={"x-amz-copy-source": source.path})

        return self.write(size, send, number=number, excluded=source)

    def multipart(self):
        count = self.generator.choice(PARTS)
        sizes = [PART_BYTES + self.generator.randrange(300 * KIB) for _ in range(count - 1)]
        sizes.append(self.generator.randint(INLINE_BYTES + 1, MIB))

        def send(key, number):
            whole, start, tags = self_describing(number, sum(sizes)), 0, []
            outcome, reply = self.request("POST", key.path, query="uploads=")
            if outcome != "done":
                return "refused", None
            upload = reply.body.decode().split("<UploadId>")[1].split("</UploadId>")[0]
            for index, size in enumerate(sizes, start=1):
                tag = self.part(key.path, upload, index, whole[start : start + size])
                if tag is None:
                    self.request("DELETE", key.path, query=f"uploadId={upload}")
                    return "refused", None
                tags.append(f'<Part><PartNumber>{index}</PartNumber><ETag>"{tag}"</ETag></Part>')
                start += size
            document = f"<CompleteMultipartUpload>{''.join(tags)}</CompleteMultipartUpload>".encode()
            outcome, reply = self.request("POST", key.path, query=f"uploadId={upload}", body=document)
            # The answer begins before its end is known.
            return ("unknown" if outcome == "done" and b"<ETag>" not in reply.body else outcome), reply

        return self.write(sum(sizes), send)

    def part(self, path, upload, index, content):
        """The entity tag of a part, which is sent until a node has taken it; None if none does. Each try is the same part."""
        for _ in range(PART_TRIES):
            outcome, reply = self.request("PUT", path, query=f"partNumber={index}&uploadId={upload}", body=content)
            self.history.count("body part", outcome)
            if outcome == "done":
                return reply.etag
            if outcome == "absent" or self.load.stopping.wait(FAILURE_PAUSE_SECONDS):
                return None
        return None

    def write(self, size, send, number=None, excluded=None):
        if not self.load.reserve(size):
            self.make_room()
            return None
        try:
            key = self.target()
            if key is excluded:
                return None
            number = number or next(self.load.numbers)
            outcome, _ = send(key, number)
            if outcome == "done":
                key.settle(number, size)
            elif outcome == "unknown":
                key.doubt(number, size)
            elif outcome == "absent":
                self.history.violation(f"{key.path}: what it is made of is gone, though nobody has deleted it")
            return outcome
        finally:
            self.held = sum(key.held for key in self.keys)
            self.load.release(size)

    def make_room(self):
        """Deletes the largest, or any: large ones are to live for a while, too."""
        key = max(self.keys, key=lambda key: key.held, default=None)
        if key is not None and key.held and self.generator.random() < 0.5:
            self.history.count("body delete", self.remove(key))
        elif (outcome := self.delete()) is not None:
            self.history.count("body delete", outcome)

    def delete(self):
        key = self.some_key(lambda key: key.held)
        return self.remove(key) if key is not None else None

    def remove(self, key):
        outcome, _ = self.request("DELETE", key.path)
        if outcome == "done":
            key.settle(None, 0)
        elif outcome == "unknown":
            # It may be carried out later.
            key.doubt(None, 0)
        self.held = sum(each.held for each in self.keys)
        return outcome

    def get(self):
        key = self.some_key(lambda key: key.held) or self.some_key(lambda key: True)
        if key is None:
            return None
        outcome, reply = self.request("GET", key.path)
        if outcome in ("done", "absent"):
            check(self.history, key, reply)
        return outcome


def check(history, key, reply):
    """What is there, by the answer to a GET; a violation if it cannot be."""
    number = None
    if reply.status == 200:
        number = number_in(reply.body)
        if number is None:
            history.violation(f"{key.path} has {len(reply.body)} bytes that nobody put")
            return None
    if number not in key.possible:
        history.violation(f"{key.path} has {number}, and can only have {sorted(key.possible, key=str)}")
    return number
