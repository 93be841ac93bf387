"""The state of a running cluster replaced by that of a snapshot file, through its log."""

import json
import os
import random
import signal
import threading

import pytest

from support.admin import ask, rustfs_admin
from support.backups import create, progress
from support.bodies import bodies, get, put, status as body_status, wait_for_same_bodies
from support.cluster import wait_until
from support.load import Load

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "restored"
SIZES = [0, 1, 500, 128 * KIB, 128 * KIB + 1, 700 * KIB, 3 * MIB + 1]


def fill(node, count=40):
    """Objects of all sizes and some small ones; their contents by path."""
    client = node.client()
    assert client.request("PUT", f"/{BUCKET}").status == 200
    contents = {f"/{BUCKET}/size/{number}": os.urandom(size) for number, size in enumerate(SIZES)}
    contents |= {f"/{BUCKET}/small/{number}": f"small {number}".encode() for number in range(count)}
    for path, body in contents.items():
        assert put(node, path, body).status == 200
    return contents


def change(node, contents):
    """Deletes a third, overwrites a third, adds new ones, and another bucket."""
    client = node.client()
    for number, path in enumerate(sorted(contents)):
        if number % 3 == 0:
            assert client.request("DELETE", path).status == 204
        elif number % 3 == 1:
            assert put(node, path, os.urandom(300 * KIB if number % 2 else 20)).status == 200
    assert client.request("PUT", "/later").status == 200
    for number in range(5):
        assert put(node, f"/later/{number}", os.urandom(200 * KIB)).status == 200
        assert put(node, f"/{BUCKET}/new/{number}", b"new").status == 200


def listing(node, bucket=BUCKET):
    reply = node.client().request("GET", f"/{bucket}", query="list-type=2&max-keys=1000")
    assert reply.status == 200, reply
    return {f"/{bucket}/{entry.split('</Key>')[0]}" for entry in reply.body.decode().split("<Key>")[1:]}


def expect(nodes, contents):
    """Each node shows these objects, and no others."""
    for node in nodes:
        assert listing(node) == set(contents), node.number
        assert node.client().request("HEAD", "/later").status == 404
        for path, body in contents.items():
            reply = get(node, path)
            assert reply.status == 200 and reply.body == body, (node.number, path, reply.status)


def restore(node, path, *arguments):
    return rustfs_admin("metadata", "snapshot", "restore", "--path", path, "--yes", *arguments, node=node)


def restored(node, path):
    """The document of a restore that has succeeded."""
    done = restore(node, path, "--output", "json")
    assert done.code == 0, done
    assert done.document["state"] == "done" and done.document["path"] == str(path), done
    return done.document


def refused(node, path, code, exit_code=5):
    done = restore(node, path, "--output", "json")
    assert done.code == exit_code and done.document["code"] == code, done
    return done.document["message"]


def others(cluster, *excluded):
    return [node for node in cluster.nodes if node not in excluded]


def test_a_running_cluster_gets_an_earlier_state_back(own_cluster):
    cluster = own_cluster(3).start()
    contents = fill(cluster.nodes[0])
    leader = cluster.wait_for_leader()
    follower = others(cluster, leader)[0]
    path = cluster.directory / "before.snap"
    snapshot = create(follower, path)
    change(leader, contents)
    before = follower.status()
    wait_for_same_bodies(cluster.nodes)

    document = restored(follower, path)
    assert document["id"] == snapshot["id"] and document["entry"] > before["applied_index"]
    assert follower.status()["restore"] == document and "restore" not in leader.status()
    cluster.wait_until_equal()
    expect(cluster.nodes, contents)
    # The cluster is the one that it was, and its log has gone on.
    now = follower.status()
    for field in ("cluster_id", "version"):
        assert now[field] == before[field]
    assert now["applied_index"] >= document["entry"] and [peer["id"] for peer in now["nodes"]] == [peer["id"] for peer in before["nodes"]]
    # Bodies that nothing named any more are there again, on each node; reads and writes go on.
    wait_for_same_bodies(cluster.nodes)
    for number, node in enumerate(cluster.nodes):
        assert put(node, f"/{BUCKET}/after/{number}", os.urandom(400 * KIB)).status == 200
    assert rustfs_admin("metadata", "verify", node=leader).code == 0
    assert len(listing(leader)) == len(contents) + 3

    # All die, and have it still.
    for node in cluster.nodes:
        node.kill()
    cluster.start()
    cluster.wait_until_equal()
    for path, body in contents.items():
        assert get(cluster.nodes[2], path).body == body


def test_what_writes_meanwhile_is_told_the_truth(own_cluster):
    """Requests go on; none fails. What was acknowledged after the restore is there afterwards."""
    cluster = own_cluster(3).start()
    contents = fill(cluster.nodes[0])
    path = cluster.directory / "before.snap"
    create(cluster.nodes[1], path)
    stop, failures, counts = threading.Event(), [], [0, 0, 0]

    def write(number):
        client, turn = cluster.nodes[number].client(timeout=60), 0
        while not stop.is_set():
            turn += 1
            body = f"{number}-{turn}".encode()
            for method, sent in (("PUT", body), ("GET", b"")):
                reply = client.request(method, f"/{BUCKET}/load/{number}/{turn}", body=sent)
                # The restore may lie between the two.
                if reply.status not in (200, 404) or method == "PUT" and reply.status != 200:
                    failures.append((method, reply))
            counts[number] = turn

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: min(counts) > 20, 60, "load")
        for _ in range(3):
            restored(cluster.nodes[2], path)
        seen = list(counts)
        wait_until(lambda: all(now > then + 20 for now, then in zip(counts, seen)), 60, "load afterwards")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:3]
    cluster.wait_until_equal()
    found = listing(cluster.nodes[0])
    assert set(contents) <= found
    # Each writer's objects from the last restore on are there without a gap.
    for number in range(3):
        turns = sorted(int(name.rsplit("/", 1)[1]) for name in found if name.startswith(f"/{BUCKET}/load/{number}/"))
        assert turns == list(range(turns[0], counts[number] + 1)) and turns[0] > 20
