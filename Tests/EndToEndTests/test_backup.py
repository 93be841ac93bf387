"""Snapshots as files: written beside load, looked at, and made into new nodes and clusters."""

import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from support.backups import ask, create, inspect, progress, restore, run
from support.admin import rustfs_admin
from support.bodies import BLOCK_BYTES, get, put, wait_for_same_bodies
from support.cluster import BINARY, ENVIRONMENT, Cluster, wait_until

KIB, MIB = 1 << 10, 1 << 20
SIZES = [0, 1, 100, 128 * KIB, 128 * KIB + 1, BLOCK_BYTES * 3, 5 * MIB + 1]
BUCKET = "backup"


class Load:
    """Writers and deleters that do not stop while a snapshot is written. `kept` keys are never touched."""

    def __init__(self, nodes):
        self.nodes, self.stop, self.errors, self.count = nodes, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._run, args=(node, number)) for number, node in enumerate(nodes)]

    def _run(self, node, number):
        client = node.client()
        for turn in itertools.count():
            if self.stop.is_set():
                return
            path, size = f"/{BUCKET}/load-{number}-{turn % 20}", 200 * KIB if turn % 4 == 0 else 500
            replies = [client.request("PUT", path, body=os.urandom(size))]
            if turn % 3 == 0:
                replies.append(client.request("DELETE", path))
            self.errors += [reply for reply in replies if reply.status not in (200, 204)]
            self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def fill(node):
    """Objects of all sizes; their contents by key."""
    client = node.client()
    assert client.request("PUT", f"/{BUCKET}").status == 200
    contents = {}
    for number, size in enumerate(SIZES):
        contents[f"kept/{number}"] = os.urandom(size)
        assert put(node, f"/{BUCKET}/kept/{number}", contents[f"kept/{number}"]).status == 200
    return contents


def expect(node, contents):
    for key, body in contents.items():
        reply = get(node, f"/{BUCKET}/{key}")
        assert reply.status == 200 and reply.body == body, (key, reply)
        assert reply.etag == hashlib.md5(body).hexdigest()


def local(cluster):
    """Configures the one node of a cluster as a node of its own."""
    cluster.write_configuration(cluster.nodes[0], engine="local")
    return cluster.nodes[0]


def start(cluster, node):
    node.start()
    cluster.wait_until_ready(nodes=[node])
    return node


def test_a_single_node_is_written_under_load_and_comes_back(own_cluster, workspace):
    cluster = own_cluster(1)
    node, path = start(cluster, local(cluster)), cluster.directory / "single.snap"
    contents = fill(node)
    with Load([node, node]) as load:
        wait_until(lambda: load.count > 50, 30, "load")
        found = create(node, path, rate_mib=8)
    assert not load.errors
    seen = inspect(path)
    assert seen["verified"] and seen["with_data"] and seen["id"] == found["id"] and seen["index"] == found["index"]
    assert "cluster_id" not in seen and seen["buckets"] == 1 and seen["objects"] >= len(SIZES)
    assert seen["bodies"] >= 3 and seen["bytes"] == path.stat().st_size
    assert inspect(path, "--quick")["verified"] is False
    text = run("snapshot", "inspect", "--path", path)
    assert text.returncode == 0 and found["id"] in text.stdout and "every checksum is right" in text.stdout

    # Only now: its ports are others then.
    other = own_cluster(1)
    new = local(other)
    done = restore(path, new.data)
    assert done.returncode == 0 and str(new.data) in done.stdout, done.stderr
    start(other, new)
    expect(new, contents)
    # What was under load is one state of it: every object that is listed is read.
    listed = new.client().request("GET", f"/{BUCKET}", query="list-type=2").body.decode()
    keys = [entry.split("</Key>")[0] for entry in listed.split("<Key>")[1:]]
    assert len(keys) == seen["objects"]
    for key in keys:
        reply = get(new, f"/{BUCKET}/{key}")
        assert reply.status == 200 and hashlib.md5(reply.body).hexdigest() == reply.etag
    assert put(new, f"/{BUCKET}/later", b"later").status == 200
    assert new.stop() == 0 and node.stop() == 0


def test_a_cluster_is_written_by_a_follower_under_load_and_becomes_another_cluster(own_cluster):
    cluster = own_cluster(3).start()
    contents = fill(cluster.nodes[0])
    leader = cluster.wait_for_leader()
    follower = next(node for node in cluster.nodes if node is not leader)
    path = cluster.directory / "cluster.snap"
    with Load(cluster.nodes) as load:
        wait_until(lambda: load.count > 50, 30, "load")
        found = create(follower, path, rate_mib=8)
        assert follower.status()["snapshot_export"] == found
        assert "snapshot_export" not in leader.status()
    assert not load.errors
    old = follower.status()
    cluster.close()
    seen = inspect(path)
    assert seen["cluster_id"] == old["cluster_id"] and seen["term"] > 0 and seen["with_data"]

    # Alone first; then, from another copy, as three nodes of which two are empty.
    single = own_cluster(1)
    alone = local(single)
    assert restore(path, alone.data).returncode == 0
    start(single, alone)
    expect(alone, contents)
    assert alone.stop() == 0

    another = own_cluster(3)
    first = another.nodes[0]
    done = restore(path, first.data, "--config", first.configuration_path)
    assert done.returncode == 0, done.stderr
    another.start(seconds=120)
    wait_until(
        lambda: all(peer["role"] in ("leader", "follower") for peer in first.status()["nodes"]), 120, "all three are voters")
    for node in another.nodes:
        expect(node, contents)
    assert first.status()["cluster_id"] != old["cluster_id"]
    assert put(another.nodes[2], f"/{BUCKET}/later", os.urandom(300 * KIB)).status == 200
    another.wait_until_equal()
    wait_for_same_bodies(another.nodes, seen["bodies"] + 1)


@pytest.fixture(scope="module")
def file(workspace):
    """A small snapshot with data, and one of the same state without."""
    cluster = Cluster(workspace / "backup-source", 1)
    node = start(cluster, local(cluster))
    fill(node)
    with_data, without = workspace / "with.snap", workspace / "without.snap"
    create(node, with_data)
    create(node, without, with_data=False)
    assert node.stop() == 0
    yield with_data
    cluster.close()


def test_bad_files_are_named_and_nothing_is_made_of_them(file, workspace):
    whole = file.read_bytes()
    places = random.Random(1).sample(range(len(whole)), 6)
    cases = [
        (b"", "is empty"), (b"hello, I am a text file", "not a snapshot file"), (os.urandom(5000), "not a snapshot file"),
        (whole[:-1], "cut short"), (whole[: len(whole) // 2], "cut short"), (whole[:10], "cut short"), (whole + b"x", "damaged"),
        *((whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], "damaged") for place in places),
    ]
    bad, target = workspace / "bad.snap", workspace / "never-made"
    for content, words in cases:
        bad.write_bytes(content)
        for done in (run("snapshot", "inspect", "--path", bad), restore(bad, target)):
            assert done.returncode == 65 and words in done.stderr and str(bad) in done.stderr, (words, done)
            assert done.stderr.count("\n") == 1 and done.stdout == ""
    bad.unlink()
    for done in (run("snapshot", "inspect", "--path", bad), restore(bad, target)):
        assert done.returncode == 1 and "No such file" in done.stderr
    assert not target.exists()


# Nobody listens there: who looks at a file asks no node.
NO_NODE = {"RUSTFS_ADMIN_ENDPOINT": "http://127.0.0.1:1"}


def look(*arguments):
    return rustfs_admin("metadata", "snapshot", "inspect", *arguments, environment=NO_NODE)


@pytest.mark.parametrize("quick", [[], ["--quick"]])
def test_the_operators_program_tells_the_same_of_a_file_and_asks_no_node(file, workspace, quick):
    for path in (file, workspace / "without.snap"):
        text = run("snapshot", "inspect", "--path", path, *quick)
        table = look("--path", path, *quick)
        assert table.code == 0 and table.out == text.stdout and table.err == "", table
        assert look("--path", path, "--output", "table", *quick).out == table.out
        document = look("--path", path, "--output", "json", *quick)
        assert document.code == 0 and document.document == inspect(path, *quick), document
        assert document.document["verified"] is not bool(quick)
    assert str(file) in look("--path", os.path.relpath(file), *quick).out


def test_the_operators_program_names_bad_files_and_says_so_with_its_own_exit_codes(file, workspace):
    whole, bad = file.read_bytes(), workspace / "bad-for-admin.snap"
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    cases = [
        (b"", "is empty"), (os.urandom(5000), "not a snapshot file"), (whole[:-1], "cut short"), (whole[:middle], "cut short"),
        (whole + b"x", "damaged"), (damaged, "damaged"),
    ]
    for content, words in cases:
        bad.write_bytes(content)
        done = look("--path", bad)
        assert done.code == 1 and done.out == "" and done.err.count("\n") == 1, done
        assert done.err.startswith("rustfs-admin: ") and str(bad) in done.err and words in done.err, (words, done)
        told = look("--path", bad, "--output", "json")
        assert told.code == 1 and told.document["code"] == "BadSnapshotFile" and words in told.document["message"], told
        assert set(told.document) == {"code", "message"} and told.err == done.err
    # What a quick look does not read, it does not judge.
    assert look("--path", bad, "--quick").code == 0
    bad.unlink()
    for path, words in ((bad, "No such file"), (workspace, "directory")):
        done = look("--path", path, "--output", "json")
        assert done.code == 66 and words in done.err and done.document["code"] == "UnreadableFile", done


def test_the_operators_program_knows_which_options_belong_to_looking(file):
    mistakes = [
        [], ["--path"], [str(file)], ["--path", file, "--unknown"], ["--path", file, "--output", "text"],
        ["--path", file, "--endpoint", "http://127.0.0.1:1"], ["--path", file, "--timeout", 5],
    ]
    for mistake in mistakes:
        refused = look(*mistake)
        assert refused.code == 64 and refused.err and refused.out == "", refused
    assert "--path <file.snap>" in look("--help").out


def test_a_file_without_the_bodies_that_it_names_is_not_restored(file, workspace):
    without, target = workspace / "without.snap", workspace / "never-made-either"
    seen = inspect(without)
    assert not seen["with_data"] and seen["bodies"] == 3
    done = restore(without, target)
    assert done.returncode == 65 and "names 3 bodies" in done.stderr and "with data" in done.stderr
    assert not target.exists()


def test_nothing_is_restored_over_what_is_there(file, workspace):
    target = workspace / "not-empty"
    target.mkdir()
    (target / "mine").write_text("precious")
    done = restore(file, target)
    assert done.returncode == 1 and "not empty" in done.stderr and "mine" in done.stderr
    assert [entry.name for entry in target.iterdir()] == ["mine"]


def test_a_restore_that_was_killed_is_refused_by_name_until_it_is_removed(file, own_cluster, workspace):
    cluster = own_cluster(1)
    node = local(cluster)
    process = subprocess.Popen(
        [str(BINARY), "restore", "--path", str(file), "--data-dir", str(node.data)], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    marker = node.data / "RESTORING"
    try:
        # Without a pause: it is there for a moment only.
        while not marker.exists() and process.poll() is None:
            pass
        process.send_signal(signal.SIGSTOP)
        assert marker.exists(), "it had ended"
    finally:
        process.kill()
        process.wait()
    node.start()
    assert wait_until(lambda: node.ended() is not None and node.ended() + 1, 30, "the server ends") - 1 == 1
    assert "RESTORING" in node.log() and "Remove what is in the directory" in node.log()
    node.process = None
    again = restore(file, node.data)
    assert again.returncode == 1 and "interrupted" in again.stderr
    subprocess.run(["rm", "-r", str(node.data)], check=True)
    assert restore(file, node.data).returncode == 0
    start(cluster, node)
    assert get(node, f"/{BUCKET}/kept/1").status == 200


def test_a_running_node_refuses_what_cannot_be_written(own_cluster, workspace):
    cluster = own_cluster(1)
    node = start(cluster, local(cluster))
    assert node.admin("/metadata/snapshots")[0] == 404
    taken = cluster.directory / "taken.snap"
    taken.write_text("mine")
    refused = [
        ({"path": "relative.snap"}, 400, "absolute"), ({"path": str(cluster.directory / "name")}, 400, ".snap"),
        ({"path": str(cluster.directory / "none" / "a.snap")}, 400, "no directory"), ({"path": str(taken)}, 409, "never overwritten"),
        ({}, 400, "'path' is missing"), (b"[", 400, "no JSON object"), ({"path": 5}, 400, "'path' must be a text"),
        ({"path": str(cluster.directory / "a.snap"), "rate_mib": 0}, 400, "from 1 to 100000"),
    ]
    for document, status, words in refused:
        found, answer = ask(node, document)
        assert found == status and words in answer["message"], (document, found, answer)
    assert ask(node, {"path": str(cluster.directory / "a.snap")}, content_type="text/plain")[0] == 415
    assert taken.read_text() == "mine" and not list(cluster.directory.glob("*.snap*"))[1:]

    # One at a time; and a node that stops leaves nothing of it.
    assert node.client().request("PUT", f"/{BUCKET}").status == 200
    assert put(node, f"/{BUCKET}/large", os.urandom(20 * MIB)).status == 200
    path = cluster.directory / "slow.snap"
    assert ask(node, {"path": str(path), "with_data": True, "rate_mib": 1})[0] == 200
    found, answer = ask(node, {"path": str(cluster.directory / "b.snap")})
    assert found == 409 and answer["code"] == "Busy" and str(path) in answer["message"]
    now = progress(node)
    assert now["state"] == "running" and now["path"] == str(path)
    assert node.stop() == 0
    assert [entry.name for entry in cluster.directory.glob("*.snap*")] == ["taken.snap"]
    assert not list((node.data / "metadata" / "kv").glob("exporting-*"))


def test_a_node_that_is_killed_while_it_writes_one_starts_and_writes_another(own_cluster):
    cluster = own_cluster(1)
    node = start(cluster, local(cluster))
    contents = fill(node)
    path = cluster.directory / "killed.snap"
    assert ask(node, {"path": str(path), "with_data": True, "rate_mib": 1})[0] == 200
    wait_until(lambda: progress(node)["bytes_done"] > 0, 30, "it has begun")
    node.kill()
    assert not path.exists() and len(list(cluster.directory.glob("killed.snap.*.partial"))) == 1
    assert len(list((node.data / "metadata" / "kv").glob("exporting-*"))) == 1
    start(cluster, node)
    assert not list((node.data / "metadata" / "kv").glob("exporting-*"))
    create(node, path)
    assert inspect(path)["objects"] == len(contents)


# Until it runs another program, a process has the memory of the one that has begun it: this one begins them, and is small.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
"""


def peak_bytes(*arguments):
    """Runs the program; the most memory that it had."""
    command = [sys.executable, "-c", MEASURE, str(BINARY), *map(str, arguments)]
    code, peak = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout.split()
    assert code == "0"
    return int(peak)


def test_memory_does_not_grow_with_what_is_written(own_cluster):
    cluster = own_cluster(1)
    node = start(cluster, local(cluster))
    assert node.client().request("PUT", f"/{BUCKET}").status == 200
    size = 300 * MIB
    assert put(node, f"/{BUCKET}/large", os.urandom(MIB) * (size // MIB)).status == 200
    status = f"/proc/{node.process.pid}/status"

    def resident():
        with open(status) as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))

    before, peak, path = resident(), 0, cluster.directory / "large.snap"
    assert ask(node, {"path": str(path), "with_data": True, "rate_mib": 300})[0] == 200

    def is_over():
        nonlocal peak
        peak = max(peak, resident())
        return progress(node)["state"] != "running"

    wait_until(is_over, 120, "the snapshot is written")
    assert progress(node)["state"] == "done" and path.stat().st_size > size
    assert peak - before < 48 * MIB, f"{(peak - before) / MIB:.0f} MiB more"
    assert peak_bytes("snapshot", "inspect", "--path", path) < 128 * MIB
    assert peak_bytes("restore", "--path", path, "--data-dir", cluster.directory / "restored") < 192 * MIB


def test_the_command_writes_one_and_says_what_came_of_it(own_cluster):
    cluster = own_cluster()
    cluster.start()
    contents = fill(cluster.nodes[0])
    path = cluster.directory / "by-command.snap"
    node = cluster.nodes[1]
    done = rustfs_admin("metadata", "snapshot", "create", "--path", path, "--with-data", "--rate-mib", 100, node=node)
    assert done.code == 0, done
    assert f"{path}: snapshot " in done.out and inspect(path)["objects"] == len(contents)
    again = rustfs_admin("metadata", "snapshot", "create", "--path", path, node=node)
    assert again.code == 1 and "exists already and is never overwritten" in again.err, again
    other = cluster.directory / "as-json.snap"
    shown = rustfs_admin("metadata", "snapshot", "create", "--path", other, "--output", "json", node=node)
    assert shown.code == 0 and shown.document["state"] == "done" and shown.document["bytes_total"] == other.stat().st_size
    assert node.status()["snapshot_export"]["path"] == str(other)
    for mistake, code in ((["--path", "relative.snap"], 64), ([], 64), (["--path", "/nowhere/x.snap", "--rate-mib", "0"], 64)):
        refused = rustfs_admin("metadata", "snapshot", "create", *mistake, node=node)
        assert refused.code == code and refused.err, refused
    absent = rustfs_admin("metadata", "snapshot", "create", "--path", "/nowhere/at/all.snap", node=node)
    assert absent.code != 0 and "/nowhere/at" in absent.err, absent
