"""Large bodies in a cluster when nodes, disks and files fail: what was acknowledged is read everywhere, and comes to all disks again."""

import http.client
import os
import shutil
import signal
import subprocess
import time

import pytest

from support.bodies import (
    BLOCK_BYTES, HEADER_BYTES, PiecewisePut, bodies, complete_upload, content, flip, flip_block, get, half_written, metric,
    new_upload, put, put_part, status, wait_for_no_bodies, wait_for_same_bodies,
)
from support.cluster import Cluster, wait_until
from support.disk import SmallDisk

BUCKET = "faults"
KIB, MIB = 1 << 10, 1 << 20
LARGE_BYTES = 64 * MIB
# A replica that falls behind costs an upload half a second; one that takes nothing for ten seconds is given up.
BEHIND_SECONDS = 8
STALL_SECONDS = 10
# For so long a peer is waited for until another one is asked for a block.
PEER_SECONDS = 5
REQUEST_TIMEOUT_MILLISECONDS = 3000
# What a client sees of a transfer that breaks off.
BROKEN = (http.client.HTTPException, OSError)


def settings(**values):
    return "{" + ", ".join(f"{key}: {value}" for key, value in ({"scrub_period": 0} | values).items()) + "}"


def make_bucket(node):
    assert node.client().request("PUT", f"/{BUCKET}").status == 200


@pytest.fixture(scope="module")
def cluster(workspace):
    """One cluster that tests share; each leaves all nodes up and healed, and no body. Nothing is verified in the background."""
    instance = Cluster(
        workspace / "body-faults", proxied=True,
        replication={"bodies": settings(orphan_grace=3), "request_timeout_ms": REQUEST_TIMEOUT_MILLISECONDS}).start()
    make_bucket(instance.nodes[0])
    yield instance
    instance.close()


@pytest.fixture
def path(cluster):
    yield f"/{BUCKET}/key"
    wait_until(lambda: cluster.nodes[0].client().request("DELETE", f"/{BUCKET}/key").status == 204, 30, "the object is deleted")
    wait_for_no_bodies(cluster.nodes)


def followers(cluster):
    leader = cluster.wait_for_leader()
    return [node for node in cluster.nodes if node is not leader]


def wait_for_bytes(node, count):
    """Until the node has so much of a body that is on its way."""
    wait_until(lambda: max(half_written(node).values(), default=0) >= count, 30, lambda: f"{count} bytes: {half_written(node)}")


# Nodes that die or stand still in the middle.


@pytest.mark.parametrize("victim_role", ["follower", "leader"])
def test_a_node_that_dies_in_the_middle_of_a_put_gets_the_body_when_it_is_back(cluster, path, victim_role):
    one, other = followers(cluster)
    victim = one if victim_role == "follower" else cluster.leader()
    body = os.urandom(LARGE_BYTES)
    with PiecewisePut(other, path, len(body)) as upload:
        upload.send(body[: LARGE_BYTES // 2])
        wait_for_bytes(victim, LARGE_BYTES // 4)
        victim.kill()
        upload.send(body[LARGE_BYTES // 2 :])
        assert upload.reply().status == 200
    survivors = [node for node in cluster.nodes if node is not victim]
    assert [get(node, path).body == body for node in survivors] == [True, True]
    assert bodies(victim) == {}
    victim.start()
    cluster.wait_until_ready()
    for files in wait_for_same_bodies(cluster.nodes, 1):
        assert content(*files.values()) == body
    assert status(victim)["repaired"] >= 1
    assert get(victim, path).body == body


def test_the_node_that_receives_dies_and_nothing_half_stored_is_left(cluster, path):
    receiver, other = followers(cluster)
    body = os.urandom(LARGE_BYTES)
    with PiecewisePut(receiver, path, len(body)) as upload:
        upload.send(body[: LARGE_BYTES // 2])
        for node in cluster.nodes:
            wait_for_bytes(node, LARGE_BYTES // 4)
        receiver.kill()
        with pytest.raises(BROKEN):
            upload.send(body[LARGE_BYTES // 2 :])
            upload.reply()
    assert get(other, path).status == 404
    # The others notice by themselves.
    wait_for_no_bodies([node for node in cluster.nodes if node is not receiver])
    assert half_written(receiver) != {}
    receiver.start()
    cluster.wait_until_ready()
    wait_for_no_bodies(cluster.nodes)
    assert get(receiver, path).status == 404


def test_a_body_whose_proposal_is_lost_is_swept_after_the_grace_time(cluster, path):
    receiver, other = followers(cluster)
    leader = cluster.leader()
    link = {"from": receiver.number, "to": leader.number, "hold": True}
    body = os.urandom(4 * MIB)
    try:
        with PiecewisePut(receiver, path, len(body)) as upload:
            upload.send(body[: 2 * MIB])
            wait_for_bytes(leader, MIB)
            cluster.proxy.apply([link])
            upload.send(body[2 * MIB :])
            assert upload.reply().status == 503
        assert len(bodies(receiver)) == 1 and len(bodies(other)) == 1, "a quorum has it, and nothing names it"
        # What the link holds is lost with the process and its connections.
        receiver.kill()
        cluster.proxy.apply([link], [(receiver.number, leader.number)])
    finally:
        cluster.proxy.apply()
    receiver.start()
    cluster.wait_until_ready()
    wait_for_no_bodies(cluster.nodes)
    assert [get(node, path).status for node in cluster.nodes] == [404] * 3
    assert any(status(node)["abandoned"] for node in cluster.nodes)


def test_a_replica_that_stands_still_does_not_slow_a_put_and_catches_up(cluster, path):
    still, receiver = followers(cluster)
    body = os.urandom(LARGE_BYTES)
    with PiecewisePut(receiver, path, len(body)) as upload:
        upload.send(body[: LARGE_BYTES // 4])
        wait_for_bytes(still, LARGE_BYTES // 8)
        still.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            upload.send(body[LARGE_BYTES // 4 :])
            assert upload.reply().status == 200
            assert time.monotonic() - began < BEHIND_SECONDS
            assert get(cluster.leader(), path).body == body
        finally:
            still.process.send_signal(signal.SIGCONT)
    wait_for_same_bodies(cluster.nodes, 1)
    assert get(still, path).body == body


def test_a_put_on_a_node_that_is_cut_off_fails_and_leaves_nothing(cluster, path):
    alone, _ = followers(cluster)
    others = [node for node in cluster.nodes if node is not alone]
    body = os.urandom(8 * MIB)
    links = [pair for other in others for pair in ((alone.number, other.number), (other.number, alone.number))]
    try:
        with PiecewisePut(alone, path, len(body)) as upload:
            upload.send(body[: 2 * MIB])
            for node in cluster.nodes:
                wait_for_bytes(node, MIB)
            cluster.proxy.apply([{"from": sender, "to": receiver, "hold": True} for sender, receiver in links])
            began = time.monotonic()
            upload.send(body[2 * MIB :])
            assert upload.reply().status == 503
            assert time.monotonic() - began < STALL_SECONDS + REQUEST_TIMEOUT_MILLISECONDS / 1000 + 5
        assert bodies(alone) == {} and half_written(alone) == {}
    finally:
        cluster.proxy.apply()
    cluster.wait_until_ready()
    wait_for_no_bodies(cluster.nodes)
    assert [get(node, path).status for node in cluster.nodes] == [404] * 3


def test_a_peer_that_stands_still_does_not_hold_up_a_read(own_cluster):
    cluster = own_cluster(replication={"bodies": settings(repair_rate_mib=1)}).start()
    make_bucket(cluster.nodes[0])
    path, body = f"/{BUCKET}/key", os.urandom(12 * MIB)
    assert put(cluster.nodes[0], path, body).status == 200
    wait_for_same_bodies(cluster.nodes, 1)
    reader, still = followers(cluster)
    for file in bodies(reader).values():
        file.unlink()
    still.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert get(reader, path).body == body
        assert time.monotonic() - began < 2 * PEER_SECONDS
    finally:
        still.process.send_signal(signal.SIGCONT)
    wait_for_same_bodies(cluster.nodes, 1)


def test_a_put_that_wants_all_nodes_fails_without_one_of_them(own_cluster):
    cluster = own_cluster(
        replication={"bodies": settings(), "write_quorum": "all", "request_timeout_ms": REQUEST_TIMEOUT_MILLISECONDS}).start()
    make_bucket(cluster.nodes[0])
    still, receiver = followers(cluster)
    path, body = f"/{BUCKET}/key", os.urandom(8 * MIB)
    still.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        reply = put(receiver, path, body)
        assert reply.status == 503 and int(reply.headers["retry-after"]) >= 1, reply
        assert time.monotonic() - began < STALL_SECONDS + REQUEST_TIMEOUT_MILLISECONDS / 1000 + 5
        assert bodies(receiver) == {} and half_written(receiver) == {}
    finally:
        still.process.send_signal(signal.SIGCONT)
    wait_for_no_bodies(cluster.nodes)
    assert get(still, path).status == 404
    still.kill()
    began = time.monotonic()
    assert put(receiver, path, body).status == 503
    assert time.monotonic() - began < STALL_SECONDS, "nobody waits for a process that is gone"
    still.start()
    cluster.wait_until_ready()
    wait_until(lambda: put(receiver, path, body).status == 200, 10, "a put on all nodes")
    assert [content(*bodies(node).values()) == body for node in cluster.nodes] == [True] * 3, "on all disks when it is answered"


# Files that rot or go.

BLOCKS = 11
BODY_BYTES = (BLOCKS - 1) * BLOCK_BYTES + 777
TABLE = HEADER_BYTES + BODY_BYTES


def truncate(path, size):
    os.truncate(path, size)


DAMAGES = {
    "first block": lambda path: flip_block(path, 0),
    "middle block": lambda path: flip_block(path, 5, BLOCK_BYTES - 1),
    "last block": lambda path: flip_block(path, BLOCKS - 1, 776),
    "several blocks": lambda path: [flip_block(path, block) for block in (0, 1, 4, 7, 8, 10)],
    "header": lambda path: flip(path, 17),
    "padding of the header": lambda path: flip(path, 3000),
    "table": lambda path: flip(path, TABLE + 9),
    "trailer": lambda path: flip(path, -5),
    "cut in the trailer": lambda path: truncate(path, path.stat().st_size - 1),
    "cut in the content": lambda path: truncate(path, HEADER_BYTES + 3 * BLOCK_BYTES),
    "empty": lambda path: truncate(path, 0),
    "longer": lambda path: truncate(path, path.stat().st_size + 1),
    "missing": lambda path: path.unlink(),
}
IN_BLOCKS = ("first block", "middle block", "last block", "several blocks")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_never_served_and_is_put_right(cluster, path, damage):
    body = os.urandom(BODY_BYTES)
    node, other = cluster.nodes[0], cluster.nodes[1]
    assert put(other, path, body).status == 200
    files = wait_for_same_bodies(cluster.nodes, 1)
    (file,), (sound,) = files[0].values(), files[1].values()
    for first, last in ((None, None), (0, 3), (5 * BLOCK_BYTES, 6 * BLOCK_BYTES - 1), (BODY_BYTES - 1, BODY_BYTES - 1)):
        before = status(node)
        DAMAGES[damage](file)
        seen = get(node, path, first, last)
        assert seen.status == (200 if first is None else 206)
        assert seen.body == (body if first is None else body[first : last + 1])
        # Whatever this range has not met the whole object does.
        assert get(node, path).body == body
        wait_for_same_bodies(cluster.nodes, 1)
        assert file.read_bytes() == sound.read_bytes()
        after = status(node)
        if damage in IN_BLOCKS:
            assert after["damaged_blocks"] > before["damaged_blocks"] and after["repaired_blocks"] > before["repaired_blocks"]
            assert metric(node, "damaged_blocks_total") == after["damaged_blocks"]
        else:
            assert after["repaired"] > before["repaired"]
            assert metric(node, "repaired_total") == after["repaired"]


def test_a_large_transfer_goes_on_over_many_damaged_blocks(cluster, path):
    body = os.urandom(LARGE_BYTES)
    assert put(cluster.nodes[0], path, body).status == 200
    files = wait_for_same_bodies(cluster.nodes, 1)
    # Each block is whole somewhere.
    for index, found in enumerate(files):
        for block in range(index, LARGE_BYTES // BLOCK_BYTES, 37):
            if block % 3 == index:
                flip_block(*found.values(), block)
    for node in cluster.nodes:
        assert get(node, path).body == body
    wait_for_same_bodies(cluster.nodes, 1)


def test_blocks_that_lie_together_are_fetched_from_whoever_has_each(cluster, path):
    body = os.urandom(BODY_BYTES)
    assert put(cluster.nodes[0], path, body).status == 200
    files = wait_for_same_bodies(cluster.nodes, 1)
    for block, found in enumerate(files):
        flip_block(*found.values(), block)
    assert [get(node, path).body == body for node in cluster.nodes] == [True] * 3
    wait_for_same_bodies(cluster.nodes, 1)


def test_what_is_damaged_everywhere_is_an_error_until_one_copy_is_back(cluster, path):
    body = os.urandom(BODY_BYTES)
    assert put(cluster.nodes[0], path, body).status == 200
    files = wait_for_same_bodies(cluster.nodes, 1)
    for found in files:
        flip_block(*found.values(), 0)
        flip_block(*found.values(), 9)
    for node in cluster.nodes:
        assert get(node, path, 0, 9).status == 500
        assert get(node, path, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES + 99).body == body[4 * BLOCK_BYTES : 4 * BLOCK_BYTES + 100]
        # The transfer has begun when the ninth block turns out to be lost.
        try:
            seen = get(node, path, BLOCK_BYTES, BODY_BYTES - 1)
        except BROKEN:
            continue
        assert seen.status >= 500
    flip_block(*files[2].values(), 0)
    flip_block(*files[2].values(), 9)

    def is_right(node):
        try:
            return get(node, path).body == body
        except BROKEN:
            return False

    for node in cluster.nodes:
        wait_until(lambda: is_right(node), 30, f"node {node.number} reads what node 3 has")
    first = content(*files[0].values())
    assert first == body or len(first) == len(body)
    wait_until(lambda: [content(*bodies(node).values()) == body for node in cluster.nodes] == [True] * 3, 30, "all disks are well")


def test_the_scrub_finds_damage_that_nobody_reads(own_cluster):
    cluster = own_cluster(replication={"bodies": settings(scrub_period=5)}).start()
    make_bucket(cluster.nodes[0])
    for number, node in enumerate(cluster.nodes):
        assert put(node, f"/{BUCKET}/{number}", os.urandom(BODY_BYTES)).status == 200
    files = wait_for_same_bodies(cluster.nodes, 3)
    sound = {name: file.read_bytes() for name, file in files[0].items()}
    for found, name in zip(files, sorted(sound)):
        flip_block(found[name], 0)
        flip_block(found[name], BLOCKS - 1)
    headless, gone = sorted(sound)[1:]
    flip(files[0][headless], 100)
    files[0][gone].unlink()

    def is_well():
        return all({name: file.read_bytes() for name, file in bodies(node).items()} == sound for node in cluster.nodes)

    wait_until(is_well, 30, lambda: f"repaired without any read: {[status(node) for node in cluster.nodes]}")
    wait_for_same_bodies(cluster.nodes, 3)
    for node in cluster.nodes:
        found = status(node)
        # Some may be met twice: by the scrub, and by a node that wants the body.
        assert found["damaged_blocks"] >= 2 and found["repaired_blocks"] >= 2, found
        assert found["scrub"]["total_bytes"] == 3 * BODY_BYTES
    assert status(cluster.nodes[0])["repaired"] == 2


# Disks that are lost or full.


def test_a_node_that_lost_all_its_bodies_serves_at_once_and_fills_up(own_cluster):
    cluster = own_cluster(replication={"bodies": settings(repair_rate_mib=4)}).start()
    make_bucket(cluster.nodes[0])
    contents = {f"/{BUCKET}/{number}": os.urandom(2 * MIB + number) for number in range(12)}
    for number, (path, body) in enumerate(contents.items()):
        assert put(cluster.nodes[number % 3], path, body).status == 200
    files = wait_for_same_bodies(cluster.nodes, len(contents))
    poor = followers(cluster)[0]
    poor.kill()
    shutil.rmtree(poor.data / "metadata" / "mx")
    poor.start()
    wait_until(poor.is_ready, 30, "it serves")
    began = time.monotonic()
    path, body = list(contents.items())[-1]
    assert get(poor, path).body == body
    assert get(poor, path, 2 * MIB - 5, 2 * MIB + 5).body == body[2 * MIB - 5 : 2 * MIB + 6]
    assert status(poor)["missing"] > 0 and metric(poor, "remote_reads_total") > 0
    # It goes on after a crash, with what it has.
    wait_until(lambda: len(bodies(poor)) >= 3, 30, "the first bodies have come")
    poor.kill()
    kept = {name: file.stat().st_ino for name, file in bodies(poor).items()}
    assert 3 <= len(kept) < len(contents)
    poor.start()
    wait_until(poor.is_ready, 30, "it serves")
    found = wait_for_same_bodies(cluster.nodes, len(contents))
    assert time.monotonic() - began > 3, "24 MiB at 4 MiB a second"
    assert found[cluster.nodes.index(poor)].keys() == files[0].keys()
    assert {name: bodies(poor)[name].stat().st_ino for name in kept} == kept, "nothing was fetched twice"
    for path, body in contents.items():
        assert get(poor, path).body == body
    # A body of its own is not taken for one that it had before.
    assert put(poor, f"/{BUCKET}/new", os.urandom(MIB)).status == 200
    wait_for_same_bodies(cluster.nodes, len(contents) + 1)


@pytest.fixture
def small_disks(workspace):
    """File systems for the nodes 2 and 3, by node."""
    disks = {}
    try:
        for number in (2, 3):
            disks[number] = SmallDisk(workspace / f"body-disk-{number}", size="640m")
    except (OSError, subprocess.CalledProcessError) as error:
        for disk in disks.values():
            disk.close()
        pytest.skip(f"a small file system cannot be mounted: {error}")
    yield disks
    for disk in disks.values():
        disk.close()


RESERVED_BYTES = 16 * MIB
# Room for records, and none for bodies: those must leave twice the reserve.
RECORDS_ONLY_BYTES = 24 * MIB


def test_full_disks(own_cluster, small_disks):
    cluster = own_cluster(
        data_directories={number: disk.path / "data" for number, disk in small_disks.items()},
        storage={"reserved_bytes": RESERVED_BYTES},
        replication={"bodies": settings(orphan_grace=3), "request_timeout_ms": REQUEST_TIMEOUT_MILLISECONDS}).start()
    make_bucket(cluster.nodes[0])
    first, second, third = cluster.nodes
    contents = {}

    def store(node, name):
        body = os.urandom(8 * MIB + len(contents))
        reply = put(node, f"/{BUCKET}/{name}", body)
        if reply.status == 200:
            contents[f"/{BUCKET}/{name}"] = body
        return reply

    assert store(second, "before").status == 200
    wait_for_same_bodies(cluster.nodes, 1)

    # One of three: the quorum carries on, and the full one reads through.
    small_disks[2].fill(leaving=RECORDS_ONLY_BYTES)
    assert [store(node, f"one-{node.number}").status for node in (first, third)] == [200, 200]
    refused = store(second, "one-2")
    assert (refused.status, refused.code) == (507, "StorageFull")
    for path, body in contents.items():
        assert [get(node, path).body == body for node in cluster.nodes] == [True] * 3
    wait_for_same_bodies([first, third], 3)
    assert len(bodies(second)) == 1 and half_written(second) == {}

    # Two of three: refused in time, and nothing half-stored.
    small_disks[3].fill(leaving=RECORDS_ONLY_BYTES)
    for node in cluster.nodes:
        refused = store(node, f"two-{node.number}")
        assert (refused.status, refused.code) == (507, "StorageFull"), refused
        assert get(first, f"/{BUCKET}/two-{node.number}").status == 404
        assert put(node, f"/{BUCKET}/small-{node.number}", b"small").status == 200, "records have room"
    wait_until(
        lambda: [len(bodies(node)) for node in cluster.nodes] == [3, 1, 3] and not any(map(half_written, cluster.nodes)), 20,
        lambda: f"nothing half-stored: {[(sorted(bodies(node)), half_written(node)) for node in cluster.nodes]}")

    # Not a byte left on one: it may stop, and the others go on.
    small_disks[3].clear()
    small_disks[2].fill()
    assert wait_until(lambda: store(first, "none-1").status == 200, 20, "a put without the full disk")
    assert store(third, "none-3").status == 200
    wait_for_same_bodies([first, third], 5)

    # Not a byte left on two: nothing is promised that is not stored.
    small_disks[3].fill()
    refused = store(first, "none-two")
    assert refused.status in (503, 507), refused
    for disk in small_disks.values():
        disk.clear()
    for node in cluster.nodes:
        found = node.status()
        if node.ended() is not None or found is None or found["state"] == "stopped":
            node.kill()
            node.start()
    cluster.wait_until_ready()
    assert [wait_until(lambda: store(node, f"after-{node.number}").status == 200, 20, "a put") for node in cluster.nodes] == [True] * 3
    wait_for_same_bodies(cluster.nodes, len(contents), seconds=90)
    for path, body in contents.items():
        assert [get(node, path).body == body for node in cluster.nodes] == [True] * 3
    cluster.wait_until_equal()


# From one node to three.


def test_a_single_node_with_large_bodies_becomes_a_cluster_in_place(own_cluster):
    cluster = own_cluster(replication={"bodies": settings(repair_rate_mib=16)})
    first = cluster.nodes[0]
    cluster.write_configuration(first, engine="local")
    first.start()
    wait_until(first.is_ready, 30, "the local node is ready")
    make_bucket(first)
    contents = {f"/{BUCKET}/{number}": os.urandom(3 * MIB + number) for number in range(8)}
    contents[f"/{BUCKET}/large"] = os.urandom(LARGE_BYTES)
    for path, body in contents.items():
        assert put(first, path, os.urandom(200 * KIB)).status == 200, "is overwritten"
        assert put(first, path, body).status == 200
    path = f"/{BUCKET}/parts"
    upload, parts = new_upload(first, path), {number: os.urandom(5 * MIB + number) for number in (1, 2, 3)}
    tags = {number: put_part(first, path, upload, number, part) for number, part in parts.items()}
    assert complete_upload(first, path, upload, tags).status == 200
    contents[path] = b"".join(parts.values())
    unfinished = f"/{BUCKET}/unfinished"
    upload = new_upload(first, unfinished)
    tags = {1: put_part(first, unfinished, upload, 1, parts[1])}
    count = len(bodies(first))
    assert count == len(contents) - 1 + 3 + 1
    assert first.stop() == 0

    for node in cluster.nodes:
        cluster.write_configuration(node)
        node.start()
    cluster.wait_until_ready(120)
    newcomers = cluster.nodes[1:]
    for node in newcomers:
        # What a node that has only the metadata gives comes from the first one. (On a busy machine it may have nearly all by now.)
        lacks_much = status(node)["missing_bytes"] > LARGE_BYTES
        for path, body in reversed(contents.items()):
            assert get(node, path).body == body
        assert metric(node, "remote_reads_total") > 0 or not lacks_much
    wait_for_same_bodies(cluster.nodes, count, seconds=90)
    cluster.wait_until_equal()
    tags[2] = put_part(newcomers[0], unfinished, upload, 2, parts[2])
    assert complete_upload(newcomers[1], unfinished, upload, tags).status == 200
    contents[unfinished] = parts[1] + parts[2]
    wait_for_same_bodies(cluster.nodes, count + 1)
    cluster.wait_until_equal()
    first.kill()
    wait_until(lambda: put(newcomers[0], f"/{BUCKET}/new", parts[3]).status == 200, 30, "a put without the first node")
    for path, body in contents.items():
        assert [get(node, path).body == body for node in newcomers] == [True, True]
