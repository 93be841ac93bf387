"""The state of a running cluster replaced by that of a snapshot file, through its log."""

import os
import random
import threading
import time

import pytest

from support.admin import ask, rustfs_admin
from support.backups import create
from support.bodies import flip, get, put, wait_for_same_bodies
from support.cluster import Cluster, wait_until

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "restored"
# Files that nothing names go soon.
TIDY = {"bodies": "{orphan_grace: 2, scrub_period: 0}"}
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


def refused(node, path, code, exit_code=1):
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


def large(contents):
    return sum(len(body) > 128 * KIB for body in contents.values())


def test_a_node_that_was_down_gets_there_and_then_the_file_goes(own_cluster):
    cluster = own_cluster(3, replication=TIDY).start()
    contents = fill(cluster.nodes[0])
    leader = cluster.wait_for_leader()
    absent, asked = others(cluster, leader)
    path = cluster.directory / "before.snap"
    create(asked, path)
    change(leader, contents)
    absent.kill()
    # The bodies that were released are deleted, so that they come from the file.
    wait_until(lambda: asked.status()["bodies"]["unnamed"] == 0, 30, "nothing unnamed")
    document = restored(asked, path)
    expect([leader, asked], contents)
    for number in range(30):
        assert put(asked, f"/{BUCKET}/small/{number}", b"later").status == 200
        contents[f"/{BUCKET}/small/{number}"] = b"later"
    assert asked.status()["applied_index"] >= document["entry"] + 30

    absent.start()
    cluster.wait_until_ready()
    cluster.wait_until_equal()
    expect(cluster.nodes, contents)
    # Everybody has the state: neither its file nor what only the replaced state named is anywhere after a while.
    wait_for_same_bodies(cluster.nodes, large(contents), seconds=90)


def test_members_that_come_later_need_no_file(own_cluster):
    """The log that it was applied from is there yet; the file is not."""
    cluster = own_cluster(3, replication=TIDY).start()
    contents = fill(cluster.nodes[0], count=10)
    path = cluster.directory / "before.snap"
    create(cluster.nodes[0], path)
    change(cluster.nodes[0], contents)
    restored(cluster.nodes[1], path)
    wait_for_same_bodies(cluster.nodes, large(contents), seconds=90)
    new = cluster.newcomer(4).start()
    done = rustfs_admin("metadata", "add-node", "--id", 4, "--address", f"127.0.0.1:{new.peer_port}", node=cluster.nodes[0])
    assert done.code == 0, done
    cluster.wait_until_equal()
    expect(cluster.nodes, contents)
    wait_for_same_bodies(cluster.nodes, large(contents))
    # One whose disk is gone is replaced, and another restore goes on among the members of now.
    cluster.nodes[2].kill()
    done = rustfs_admin("metadata", "remove-node", "--id", 3, "--yes", node=cluster.nodes[0])
    assert done.code == 0, done
    cluster.forget(cluster.nodes[2])
    restored(new, path)
    cluster.wait_until_equal()
    expect(cluster.nodes, contents)


def test_nodes_killed_at_any_time_leave_one_state_or_the_other(own_cluster):
    """Never a mixture, never different ones, and what was begun ends."""
    cluster = own_cluster(3, replication={**TIDY, "request_timeout_ms": 20000}).start()
    contents = fill(cluster.nodes[0], count=20)
    path = cluster.directory / "before.snap"
    create(cluster.nodes[0], path)
    chance, seen = random.Random(7), set()
    gone = [name for name, body in contents.items() if len(body) > 128 * KIB]
    for round_number in range(9):
        # What is deleted is released, so that it has to be sent again; its release is applied once more by whoever is killed.
        leader = cluster.wait_for_leader()
        for name in gone:
            assert leader.client().request("DELETE", name).status == 204
        assert put(leader, f"/{BUCKET}/marker", f"{round_number}".encode()).status == 200
        asked = chance.choice(cluster.nodes)
        victims = [[leader], [asked], cluster.nodes, [chance.choice(cluster.nodes)]][round_number % 4]
        status, _ = ask(asked, "POST", "/metadata/restores", {"path": str(path)})
        assert status == 200
        time.sleep(chance.choice([0.05, 0.1, 0.2, 0.3, 0.5]))
        for victim in victims:
            victim.kill()
        for victim in victims:
            victim.start()
        cluster.wait_until_ready()
        if asked not in victims:
            wait_until(lambda: asked.status()["restore"]["state"] != "running", 60, lambda: asked.status()["restore"])
        cluster.wait_until_equal()
        states = {get(node, f"/{BUCKET}/marker").status for node in cluster.nodes}
        assert len(states) == 1, states
        is_restored = states == {404}
        told = asked.status().get("restore")
        if asked not in victims and told["state"] == "done":
            assert is_restored, told
        if asked not in victims and told["state"] == "failed" and told["error_code"] != "UnknownOutcome":
            assert not is_restored, told
        seen.add(is_restored)
        for node in cluster.nodes:
            for name, body in contents.items():
                reply = get(node, name)
                if not is_restored and name in gone:
                    assert reply.status == 404, (round_number, node.number, name)
                else:
                    assert reply.status == 200 and reply.body == body, (round_number, node.number, name)
    # Whatever was given up holds nothing back: another one succeeds, and bodies are deleted again.
    restored(cluster.nodes[0], path)
    expect(cluster.nodes, contents)
    assert put(cluster.nodes[0], f"/{BUCKET}/large", os.urandom(MIB)).status == 200
    assert cluster.nodes[1].client().request("DELETE", f"/{BUCKET}/large").status == 204
    wait_for_same_bodies(cluster.nodes, large(contents), seconds=90)
    assert True in seen


def test_a_cluster_of_one(own_cluster):
    cluster = own_cluster(1, replication=TIDY).start()
    contents = fill(cluster.nodes[0], count=5)
    path = cluster.directory / "before.snap"
    create(cluster.nodes[0], path)
    change(cluster.nodes[0], contents)
    for _ in range(3):
        restored(cluster.nodes[0], path)
        expect(cluster.nodes, contents)
    cluster.nodes[0].kill()
    cluster.start()
    expect(cluster.nodes, contents)
    wait_for_same_bodies(cluster.nodes, large(contents))


@pytest.fixture(scope="module")
def shared(workspace):
    cluster = Cluster(workspace / "restore-shared", replication=TIDY).start()
    cluster.contents = fill(cluster.nodes[0], count=10)
    cluster.with_data, cluster.without_data = cluster.directory / "data.snap", cluster.directory / "metadata.snap"
    create(cluster.nodes[0], cluster.with_data)
    create(cluster.nodes[0], cluster.without_data, with_data=False)
    yield cluster
    cluster.close()


def test_without_data_it_is_restored_if_every_body_is_there(shared):
    assert put(shared.nodes[2], f"/{BUCKET}/small/0", b"another").status == 200
    restored(shared.nodes[2], shared.without_data)
    expect(shared.nodes, shared.contents)


def test_bodies_that_are_absent_are_counted_and_nothing_changes(shared):
    name = f"/{BUCKET}/size/5"
    assert shared.nodes[0].client().request("DELETE", name).status == 204
    wait_for_same_bodies(shared.nodes, large(shared.contents) - 1)
    message = refused(shared.nodes[1], shared.without_data, "BodiesMissing")
    assert f"names 1 bodies ({700 * KIB} bytes)" in message and "made with data" in message
    assert get(shared.nodes[1], name).status == 404
    # It is in the other file.
    restored(shared.nodes[1], shared.with_data)
    wait_for_same_bodies(shared.nodes, large(shared.contents))
    expect(shared.nodes, shared.contents)


def test_a_damaged_file_is_refused_before_anything_happens(shared):
    chance, size = random.Random(3), shared.with_data.stat().st_size
    copy = shared.directory / "damaged.snap"
    copy.write_bytes(shared.with_data.read_bytes())
    digest = shared.wait_until_equal()
    for place in [0, 7, 8, 12, 40, 100, 200, size - 1, size - 20, size // 2, *(chance.randrange(size) for _ in range(12))]:
        flip(copy, place)
        message = refused(shared.nodes[place % 3], copy, "InvalidFile")
        assert str(copy) in message
        flip(copy, place)
    for length in [0, 11, 300, size // 2, size - 1]:
        copy.write_bytes(shared.with_data.read_bytes()[:length])
        refused(shared.nodes[0], copy, "InvalidFile")
    assert shared.wait_until_equal() == digest, "not even an entry in the log"


def test_what_is_no_snapshot_or_not_there_is_refused(shared, tmp_path):
    digest = shared.wait_until_equal()
    foreign = tmp_path / "foreign.snap"
    foreign.write_bytes(b"PK\x03\x04" + os.urandom(1000))
    assert "is not a snapshot file" in refused(shared.nodes[0], foreign, "InvalidFile")
    assert "no such file" in refused(shared.nodes[0], tmp_path / "none.snap", "Failed").lower()
    refused(shared.nodes[0], tmp_path, "Failed")
    message = refused(shared.nodes[0], "relative.snap", "InvalidPath", exit_code=64)
    assert "absolute" in message
    without_path = rustfs_admin("metadata", "snapshot", "restore", "--yes", node=shared.nodes[0])
    assert without_path.code == 64 and "--path" in without_path.err
    unconfirmed = rustfs_admin("metadata", "snapshot", "restore", "--path", shared.with_data, node=shared.nodes[0])
    assert unconfirmed.code == 64 and "--yes" in unconfirmed.err
    assert shared.wait_until_equal() == digest


def test_a_cluster_that_is_younger_than_the_file_is_refused(own_cluster, shared):
    other = own_cluster(1).start()
    for number in range(3):
        assert put(shared.nodes[0], f"/{BUCKET}/small/{number}", shared.contents[f"/{BUCKET}/small/{number}"]).status == 200
    path = shared.directory / "older.snap"
    create(shared.nodes[0], path, with_data=False)
    message = refused(other.nodes[0], path, "YoungerCluster")
    assert "rustfs-metadata restore" in message


def test_two_administrators_at_once(shared):
    """At most one of them restores at a time; each is told what has become of his."""
    results, threads = {}, []
    for node in shared.nodes:
        thread = threading.Thread(target=lambda node=node: results.update({node.number: restore(node, shared.with_data, "--output", "json")}))
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join()
    codes = [run.document["code"] for run in results.values() if run.code]
    assert any(run.code == 0 for run in results.values()), results
    assert set(codes) <= {"Refused", "Busy"}, results
    expect(shared.nodes, shared.contents)
    shared.wait_until_equal()


def test_a_node_of_no_cluster_has_the_other_way(own_cluster, shared):
    alone = own_cluster(1)
    alone.write_configuration(alone.nodes[0], engine="local")
    alone.nodes[0].start()
    alone.wait_until_ready()
    status, answer = ask(alone.nodes[0], "POST", "/metadata/restores", {"path": str(shared.with_data)})
    assert status == 404 and "rustfs-metadata restore" in answer["message"]


def test_the_progress_is_told(shared):
    done = rustfs_admin("metadata", "snapshot", "restore", "--path", shared.with_data, "--yes", node=shared.nodes[1])
    assert done.code == 0 and "The cluster has the state of" in done.out and str(shared.with_data) in done.out
    status, answer = ask(shared.nodes[1], "GET", "/metadata/restores")
    assert status == 200 and answer["state"] == "done" and answer["entry"] > 0
    status, answer = ask(shared.nodes[1], "GET", "/metadata/status")
    assert answer["restore"]["path"] == str(shared.with_data)
