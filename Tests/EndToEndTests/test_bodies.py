"""Large bodies in a cluster: put on any node, read on every node, on all disks in the end, and gone with their objects."""

import base64
import hashlib
import http.client
import itertools
import os
import random
import threading
import time
import zlib

import pytest

from support.bodies import (
    BLOCK_BYTES, INLINE_BYTES, PiecewisePut, bodies, complete_upload, content, get, half_written, new_upload, number_in, put,
    put_part, self_describing, wait_for_no_bodies, wait_for_same_bodies,
)
from support.cluster import Cluster, wait_until

KIB, MIB = 1 << 10, 1 << 20
RACE_SECONDS = float(os.environ.get("RUSTFS_BODY_RACE_SECONDS", "25"))
_names = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(workspace):
    """One healthy cluster that the tests share."""
    instance = Cluster(workspace / "bodies", replication={"bodies": "{scrub_period: 0}"}).start()
    yield instance
    instance.close()


@pytest.fixture
def bucket(cluster):
    """A bucket of the test's own. Whatever is in it in the end is deleted, and then no node may have a file of a body."""
    name = f"bodies-{next(_names)}"
    client = cluster.nodes[0].client()
    assert client.request("PUT", f"/{name}").status == 200
    yield name
    # The first one may have been idle for too long.
    client = cluster.nodes[0].client()
    for key in listed(cluster.nodes[0], name):
        assert client.request("DELETE", f"/{name}/{key}").status == 204
    assert client.request("DELETE", f"/{name}").status == 204
    wait_for_no_bodies(cluster.nodes)


def listed(node, bucket):
    """Sizes by key."""
    text = node.client().request("GET", f"/{bucket}", query="list-type=2").body.decode()
    assert "<IsTruncated>false" in text
    entries = text.split("<Contents>")[1:]
    return {entry.split("<Key>")[1].split("</Key>")[0]: int(entry.split("<Size>")[1].split("</Size>")[0]) for entry in entries}


def identities(nodes):
    """What would change if a file were written again."""
    found = {}
    for node in nodes:
        for name, path in bodies(node).items():
            seen = path.stat()
            found[node.number, name] = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
    return found


# Sizes around what is inline, what a block holds and what is sent at once; the last one is as large as it takes to be streamed.
SIZES = [INLINE_BYTES + 1, 200 * KIB, 2 * BLOCK_BYTES, MIB, MIB + 1, 5 * MIB - 1, 64 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_a_body_put_on_any_node_is_read_on_every_node_and_comes_to_all_disks(cluster, bucket, size):
    body = os.urandom(size)
    writer = cluster.nodes[SIZES.index(size) % 3]
    reply = put(writer, f"/{bucket}/key", body)
    assert (reply.status, reply.etag) == (200, hashlib.md5(body).hexdigest())
    for node in cluster.nodes:
        seen = get(node, f"/{bucket}/key")
        assert seen.status == 200 and seen.body == body and seen.etag == reply.etag
    files = wait_for_same_bodies(cluster.nodes, 1)
    for found in files:
        assert content(*found.values()) == body


def test_ranges_are_cut_right_across_blocks(cluster, bucket):
    size = 9 * BLOCK_BYTES + 4321
    body = os.urandom(size)
    assert put(cluster.nodes[0], f"/{bucket}/key", body).status == 200
    places = [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 8 * BLOCK_BYTES - 1, 8 * BLOCK_BYTES, 9 * BLOCK_BYTES, size - 1]
    ranges = [(first, last) for first in places for last in places if first <= last]
    for node in cluster.nodes:
        client = node.client()
        for first, last in ranges:
            seen = client.request("GET", f"/{bucket}/key", headers={"Range": f"bytes={first}-{last}"})
            assert seen.status == 206 and seen.body == body[first : last + 1], (first, last)
            assert seen.headers["content-range"] == f"bytes {first}-{last}/{size}"


def test_parts_put_on_different_nodes_become_an_object_without_being_copied(cluster, bucket):
    path, generator = f"/{bucket}/key", random.Random(12)
    sizes = [5 * MIB + generator.choice((0, 1, BLOCK_BYTES - 1, 700_000)) for _ in range(11)] + [300_001]
    parts = {number: os.urandom(size) for number, size in enumerate(sizes, start=1)}
    upload, tags = new_upload(cluster.nodes[0], path), {}

    def send(numbers, node):
        for number in numbers:
            tags[number] = put_part(node, path, upload, number, parts[number])

    senders = [threading.Thread(target=send, args=(range(1 + index, 13, 3), node)) for index, node in enumerate(cluster.nodes)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert tags == {number: hashlib.md5(part).hexdigest() for number, part in parts.items()}
    # One more time on another node: what was there goes.
    parts[5] = os.urandom(6 * MIB)
    tags[5] = put_part(cluster.nodes[2], path, upload, 5, parts[5])
    wait_for_same_bodies(cluster.nodes, 12)
    before = identities(cluster.nodes)
    done = complete_upload(cluster.nodes[1], path, upload, tags)
    assert done.status == 200 and b"<ETag>" in done.body, done
    whole = b"".join(parts[number] for number in sorted(parts))
    for node in cluster.nodes:
        seen = get(node, path)
        assert seen.status == 200 and seen.body == whole and seen.etag.endswith("-12")
        border = len(parts[1]) + len(parts[2])
        assert get(node, path, border - 9, border + 9).body == whole[border - 9 : border + 10]
    wait_for_same_bodies(cluster.nodes, 12)
    assert identities(cluster.nodes) == before, "completion moved no byte"


def test_an_aborted_upload_leaves_nothing(cluster, bucket):
    path = f"/{bucket}/key"
    upload = new_upload(cluster.nodes[0], path)
    for number, node in enumerate(cluster.nodes, start=1):
        put_part(node, path, upload, number, os.urandom(MIB))
    wait_for_same_bodies(cluster.nodes, 3)
    assert cluster.nodes[2].client().request("DELETE", path, query=f"uploadId={upload}").status == 204
    wait_for_no_bodies(cluster.nodes)


def test_a_copy_is_a_body_of_its_own(cluster, bucket):
    body = os.urandom(3 * MIB + 17)
    assert put(cluster.nodes[0], f"/{bucket}/source", body).status == 200
    for number, node in enumerate(cluster.nodes):
        reply = put(node, f"/{bucket}/copy-{number}", b"", headers={"x-amz-copy-source": f"/{bucket}/source"})
        assert reply.status == 200 and hashlib.md5(body).hexdigest().encode() in reply.body, reply
    assert cluster.nodes[1].client().request("DELETE", f"/{bucket}/source").status == 204
    for number, node in itertools.product(range(3), cluster.nodes):
        assert get(node, f"/{bucket}/copy-{number}").body == body
    wait_for_same_bodies(cluster.nodes, 3)


def test_what_is_overwritten_or_deleted_goes_from_all_disks(cluster, bucket):
    path = f"/{bucket}/key"
    for node in cluster.nodes * 2:
        body = os.urandom(MIB + node.number)
        assert put(node, path, body).status == 200
        assert [get(each, path).body == body for each in cluster.nodes] == [True] * 3
    wait_for_same_bodies(cluster.nodes, 1)
    assert put(cluster.nodes[1], path, b"small").status == 200
    wait_for_no_bodies(cluster.nodes)
    assert put(cluster.nodes[2], path, os.urandom(MIB)).status == 200
    wait_for_same_bodies(cluster.nodes, 1)
    assert cluster.nodes[0].client().request("DELETE", path).status == 204
    wait_for_no_bodies(cluster.nodes)
    assert [get(node, path).status for node in cluster.nodes] == [404] * 3


def test_a_refused_write_leaves_no_body(cluster, bucket):
    path = f"/{bucket}/key"
    assert put(cluster.nodes[0], path, b"first").status == 200
    for node in cluster.nodes:
        refused = put(node, path, os.urandom(2 * MIB), headers={"If-None-Match": "*"})
        assert (refused.status, refused.code) == (412, "PreconditionFailed")
        assert put(node, "/no-such-bucket-here/key", os.urandom(2 * MIB)).status == 404
    wait_for_no_bodies(cluster.nodes)


# Clients that do not keep their word.


def leaves(node, path, body):
    with PiecewisePut(node, path, len(body)) as upload:
        upload.send(body[: len(body) // 2])


def sends_too_little(node, path, body):
    with PiecewisePut(node, path, len(body)) as upload:
        upload.send(body[:-1])
        upload.end()
        try:
            assert upload.reply().status == 400
        except (http.client.HTTPException, ConnectionError):
            pass  # Closed without an answer: a client that is gone hears none.


def has_another_md5(node, path, body):
    reply = put(node, path, body, headers={"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()})
    assert (reply.status, reply.code) == (400, "BadDigest")


def has_another_hash(node, path, body):
    with PiecewisePut(node, path, len(body), payload=hashlib.sha256(b"other").hexdigest()) as upload:
        upload.send(body)
        reply = upload.reply()
        assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")


def chunked(node, path, body, declared, checksum):
    trailer = f"x-amz-checksum-crc32:{base64.b64encode(checksum.to_bytes(4, 'big')).decode()}\r\n\r\n".encode()
    sent = b"".join(
        b"%x\r\n%s\r\n" % (len(piece), piece)
        for piece in (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    ) + b"0\r\n" + trailer
    headers = {
        "x-amz-decoded-content-length": str(declared), "content-encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}
    with PiecewisePut(node, path, len(sent), headers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") as upload:
        try:
            upload.send(sent)
        except ConnectionError:
            pass  # It has been answered before all was sent.
        return upload.reply()


def has_another_checksum(node, path, body):
    reply = chunked(node, path, body, len(body), zlib.crc32(body) ^ 1)
    assert (reply.status, reply.code) == (400, "BadDigest"), reply


def sends_too_much(node, path, body):
    reply = chunked(node, path, body, len(body) - 1, zlib.crc32(body))
    assert 400 <= reply.status < 500, reply


BREACHES = [leaves, sends_too_little, has_another_md5, has_another_hash, has_another_checksum, sends_too_much]


def descriptors(node):
    """Open files and sockets, without those that the store and the log come and go with."""
    directory, count = f"/proc/{node.process.pid}/fd", 0
    for name in os.listdir(directory):
        try:
            target = os.readlink(f"{directory}/{name}")
        except FileNotFoundError:
            continue
        count += "/metadata/kv/" not in target and "/raft/" not in target
    return count


def resident(node):
    with open(f"/proc/{node.process.pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def test_clients_that_break_their_word_leave_nothing_behind(cluster, bucket):
    path = f"/{bucket}/key"
    turns = itertools.cycle(itertools.product(BREACHES, cluster.nodes))

    def break_words(count):
        for breach, node in itertools.islice(turns, count):
            breach(node, path, os.urandom(3 * MIB + 5))

    assert chunked(cluster.nodes[0], path, b"x" * MIB, MIB, zlib.crc32(b"x" * MIB)).status == 200, "what is right is taken"
    cluster.nodes[0].client().request("DELETE", path)
    break_words(18)
    wait_for_no_bodies(cluster.nodes)
    # Readers that peers have opened are kept for a while: nothing of them may be left either.
    before = {node.number: (descriptors(node), resident(node)) for node in cluster.nodes}
    break_words(54)
    wait_for_no_bodies(cluster.nodes)
    assert listed(cluster.nodes[0], bucket) == {}
    for node in cluster.nodes:
        was, memory = before[node.number]
        wait_until(lambda: descriptors(node) <= was, 20, lambda: f"node {node.number} has {descriptors(node)} descriptors, had {was}")
        assert resident(node) - memory < 96 * MIB
        assert half_written(node) == {}


# All at once.


def value_of(number):
    return self_describing(number, INLINE_BYTES + 1 + random.Random(number).choice((70_000, 400_000, 1_500_000, 6_000_000)))


class Racer(threading.Thread):
    """Puts, copies, deletes and reads a few keys; keeps whatever is no answer of a healthy cluster."""

    KEYS = 5

    def __init__(self, cluster, bucket, number, numbers, deadline):
        super().__init__(daemon=True)
        self.cluster, self.bucket, self.numbers, self.deadline = cluster, bucket, numbers, deadline
        self.generator = random.Random(number)
        self.done, self.failures = 0, []

    def run(self):
        clients = [node.client(timeout=60) for node in self.cluster.nodes]
        while time.monotonic() < self.deadline and not self.failures:
            try:
                self.act(self.generator.choice(clients))
                self.done += 1
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")
        for client in clients:
            client.close()

    def act(self, client):
        call, path = self.generator.choices(("put", "copy", "delete", "get"), (35, 10, 10, 45))[0], self.key()
        if call == "put":
            reply = client.request("PUT", path, body=value_of(next(self.numbers)))
            assert reply.status == 200, f"put: {reply}"
        elif call == "copy":
            reply = client.request("PUT", path, headers={"x-amz-copy-source": self.key()})
            # A copy onto itself changes nothing and is refused.
            assert reply.status in (200, 404) or reply.code == "InvalidRequest", f"copy: {reply}"
        elif call == "delete":
            assert client.request("DELETE", path).status == 204
        else:
            reply = client.request("GET", path)
            assert reply.status in (200, 404), f"get: {reply}"
            if reply.status == 200:
                assert number_in(reply.body) is not None, "a body that nobody put"

    def key(self):
        return f"/{self.bucket}/k{self.generator.randrange(self.KEYS)}"


def test_puts_copies_deletes_and_reads_race_on_a_few_keys(cluster, bucket):
    numbers, deadline = itertools.count(1), time.monotonic() + RACE_SECONDS
    racers = [Racer(cluster, bucket, number, numbers, deadline) for number in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [failure for racer in racers for failure in racer.failures] == []
    assert sum(racer.done for racer in racers) > 50
    cluster.wait_until_equal()
    left = listed(cluster.nodes[0], bucket)
    assert all(size > INLINE_BYTES for size in left.values())
    wait_for_same_bodies(cluster.nodes, len(left))
    for key, node in itertools.product(left, cluster.nodes):
        assert number_in(get(node, f"/{bucket}/{key}").body) is not None
