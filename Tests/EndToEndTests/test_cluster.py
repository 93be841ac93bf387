"""Three real nodes are one service: every node takes every request, and any one of them may go."""

import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from support.bulk import put_many
from support.cluster import BINARY, ENVIRONMENT, ROOT, Cluster, free_ports, wait_until

BUCKET = "cluster"
REQUEST_TIMEOUT_MILLISECONDS = 2500


@pytest.fixture(scope="module")
def cluster(workspace):
    """One cluster that tests share; each leaves all nodes up and healed. Between the nodes is a proxy."""
    began = time.monotonic()
    instance = Cluster(
        workspace / "cluster", proxied=True, replication={"request_timeout_ms": REQUEST_TIMEOUT_MILLISECONDS}).start()
    instance.formed_seconds = time.monotonic() - began
    assert instance.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
    yield instance
    instance.close()


@pytest.fixture
def own_cluster(tmp_path):
    """Makes clusters of the test's own, not yet started."""
    made = []

    def make(count=3, **options):
        made.append(Cluster(tmp_path / f"cluster-{len(made)}", count, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def put(node, key, body=b"x", **options):
    return node.client(**options).request("PUT", f"/{BUCKET}/{key}", body=body)


def get(node, key, bucket=BUCKET):
    return node.client().request("GET", f"/{bucket}/{key}")


def keys(node, prefix, bucket=BUCKET):
    text = node.client().request("GET", f"/{bucket}", query=f"list-type=2&prefix={prefix}").body.decode()
    return [piece.split("</Key>")[0] for piece in text.split("<Key>")[1:]]


def test_it_forms_within_seconds(cluster):
    assert cluster.formed_seconds < 20
    found = [node.status() for node in cluster.nodes]
    assert len({status["cluster_id"] for status in found}) == 1
    assert {member["id"] for member in found[0]["nodes"]} == {1, 2, 3}


def test_what_is_written_on_one_node_is_read_on_all_at_once(cluster):
    clients = [node.client() for node in cluster.nodes]
    for number in range(60):
        writer = clients[number % 3]
        key, body = f"/{BUCKET}/now/{number % 7}", f"{number}".encode()
        if number % 5 == 4:
            assert writer.request("DELETE", key).status == 204
            assert [client.request("GET", key).status for client in clients] == [404] * 3
        else:
            assert writer.request("PUT", key, body=body).status == 200
            assert [client.request("GET", key).body for client in clients] == [body] * 3
    assert keys(cluster.nodes[0], "now/") == keys(cluster.nodes[1], "now/") == keys(cluster.nodes[2], "now/") != []


class Writer(threading.Thread):
    """Puts on one node until it is told to stop, and keeps every reply that is no success."""

    def __init__(self, node, name):
        super().__init__(daemon=True)
        self.node, self.name_in_keys, self.stopping = node, name, threading.Event()
        self.done, self.failures = 0, []
        self.start()

    def run(self):
        client = self.node.client()
        while not self.stopping.is_set():
            key = f"{self.name_in_keys}/{self.done}"
            try:
                reply = client.request("PUT", f"/{BUCKET}/{key}", body=key.encode())
            except OSError as error:
                self.failures.append(error)
                continue
            if reply.status == 200:
                self.done += 1
            else:
                self.failures.append(reply)


def test_the_leader_dies_under_load_and_nobody_notices(cluster):
    leader = cluster.wait_for_leader()
    survivors = [node for node in cluster.nodes if node is not leader]
    writers = [Writer(node, f"failover-{node.number}-{number}") for node in survivors for number in range(3)]

    def all_have(more):
        before = [writer.done for writer in writers]
        wait_until(lambda: all(writer.done >= old + more for writer, old in zip(writers, before)), 30, "writes on the survivors")

    all_have(10)
    leader.kill()
    all_have(30)
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.join()
    assert [failure for writer in writers for failure in writer.failures] == []
    assert cluster.wait_for_leader() is not leader
    leader.start()
    cluster.wait_until_ready()
    cluster.wait_until_equal()
    for writer in writers:
        last = f"{writer.name_in_keys}/{writer.done - 1}"
        assert get(leader, last).body == last.encode()


def test_a_minority_refuses_writes_in_time_and_follows_when_it_is_healed(cluster):
    alone = cluster.wait_for_leader()
    others = [node for node in cluster.nodes if node is not alone]
    assert put(alone, "minority/before").status == 200
    links = [link for other in others for link in ((alone.number, other.number), (other.number, alone.number))]
    cluster.proxy.apply([{"from": sender, "to": receiver, "hold": True} for sender, receiver in links])
    try:
        wait_until(lambda: put(others[0], "minority/majority").status == 200, 30, "a write of the majority")
        for request in (("PUT", f"/{BUCKET}/minority/refused"), ("GET", f"/{BUCKET}/minority/before")):
            began = time.monotonic()
            reply = alone.client().request(*request)
            seconds = time.monotonic() - began
            assert (reply.status, reply.code) == (503, "SlowDown"), reply
            assert int(reply.headers["retry-after"]) >= 1
            assert seconds < REQUEST_TIMEOUT_MILLISECONDS / 1000 + 2
        assert not alone.is_ready()
    finally:
        cluster.proxy.apply()
    cluster.wait_until_ready()
    assert get(alone, "minority/majority").status == 200
    cluster.wait_until_equal()


def test_large_bodies_are_refused_until_they_can_be_replicated(cluster):
    assert put(cluster.nodes[1], "inline", os.urandom(128 * 1024)).status == 200
    reply = put(cluster.nodes[1], "large", os.urandom(128 * 1024 + 1))
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert get(cluster.nodes[0], "large").status == 404
    assert put(cluster.nodes[1], "after").status == 200


# Directories and configurations that do not belong together.


def run_to_end(node):
    """Exit code and standard error of a server that must not start."""
    result = subprocess.run(
        [str(BINARY), "--config", str(node.configuration_path)], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    return result.returncode, result.stderr


def test_a_directory_keeps_its_node_and_its_engine(cluster):
    node = cluster.nodes[2]
    assert node.stop() == 0
    try:
        cluster.write_configuration(node, node_id=2)
        code, text = run_to_end(node)
        assert code == 1 and f"{node.data} belongs to node 3, the configuration says 2" in text
        cluster.write_configuration(node, engine="local")
        code, text = run_to_end(node)
        assert code == 1 and "is node 3 of a cluster" in text and "metadata.engine_type must be 'replicated'" in text
    finally:
        cluster.write_configuration(node)
        node.start()
    cluster.wait_until_ready()


def test_nodes_that_are_configured_differently_found_no_cluster(own_cluster):
    cluster = own_cluster()
    odd = cluster.nodes[1]
    text = odd.configuration_path.read_text()
    odd.configuration_path.write_text(text.replace(f'"127.0.0.1:{cluster.outer_ports[2]}"', f'"127.0.0.1:{free_ports(20)[-1]}"'))
    for node in cluster.nodes:
        node.start()
    wait_until(lambda: "A node is configured for other nodes" in cluster.nodes[0].log(), 20, "the log names it")
    assert cluster.nodes[0].status()["state"] == "forming" and not cluster.nodes[0].is_ready()
    assert odd.stop() == 0
    cluster.write_configuration(odd)
    odd.start()
    cluster.wait_until_ready()


# From one node to three.


def start_local(cluster, node):
    cluster.write_configuration(node, engine="local")
    node.start()
    wait_until(node.is_ready, 30, "the local node is ready")


def test_a_single_node_becomes_a_cluster_in_place(own_cluster):
    count = int(os.environ.get("RUSTFS_GROW_OBJECTS", "20000"))
    cluster = own_cluster()
    first = cluster.nodes[0]
    start_local(cluster, first)
    assert first.client().request("PUT", f"/{BUCKET}").status == 200
    put_many(first.s3_port, BUCKET, [f"old/{number:06}" for number in range(count)])
    assert put(first, "body", b"0123456789" * 1000).status == 200
    assert first.stop() == 0
    for node in cluster.nodes:
        cluster.write_configuration(node)
        node.start()
    cluster.wait_until_ready(120)
    wait_until(
        lambda: {member["role"] for member in cluster.leader().status()["nodes"]} == {"leader", "follower"}, 60,
        "the two new nodes vote")
    assert put(cluster.nodes[1], "new").status == 200
    cluster.wait_until_equal()
    for node in cluster.nodes:
        assert get(node, "body").body == b"0123456789" * 1000
        assert get(node, f"old/{count - 1:06}").status == 200 and get(node, "new").status == 200
        assert f'rustfs_metadata_bucket_objects{{bucket="{BUCKET}"}} {count + 2}' in node.admin("/metrics")[1]
    # Without the first node the other two go on with everything.
    first.kill()
    wait_until(lambda: put(cluster.nodes[2], "newer").status == 200, 30, "a write without the first node")


def test_a_directory_with_large_bodies_is_refused(own_cluster):
    cluster = own_cluster(1)
    node = cluster.nodes[0]
    start_local(cluster, node)
    assert node.client().request("PUT", f"/{BUCKET}").status == 200
    assert put(node, "large", os.urandom(200_000)).status == 200
    assert node.stop() == 0
    cluster.write_configuration(node)
    code, text = run_to_end(node)
    assert code == 1 and "has objects above the inline size" in text
    start_local(cluster, node)
    assert len(get(node, "large").body) == 200_000


# Snapshots.


def test_a_node_that_is_far_behind_catches_up_by_a_snapshot(own_cluster):
    cluster = own_cluster(raft={"max_log_entries": 200})
    cluster.start()
    assert cluster.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
    late = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not late]
    assert put(others[0], "first").status == 200
    assert late.stop() == 0
    # The log keeps 64 MiB behind a snapshot, in segments of 64 MiB: more than both.
    body = os.urandom(128 * 1024)
    put_many(others[0].s3_port, BUCKET, [f"late/{number}" for number in range(1600)], body)
    late.start()
    cluster.wait_until_ready(120)
    wait_until(lambda: "A snapshot is the state now" in late.log(), 60, "a snapshot was installed")
    cluster.wait_until_equal()
    assert get(late, "late/1599").body == body and get(late, "first").status == 200
    # It stays what it is after a restart.
    late.kill()
    late.start()
    cluster.wait_until_ready()
    cluster.wait_until_equal()


# The script that people start a cluster with.


def test_ctrl_c_ends_all_nodes_of_the_script(tmp_path):
    s3_port, admin_port, peer_port = [free_ports(3 * 3)[index * 3] for index in range(3)]
    process = subprocess.Popen(
        [ROOT / "script" / "cluster", BINARY, "3", tmp_path / "data", str(s3_port), str(admin_port), str(peer_port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
    )
    try:
        lines = []
        while not lines or lines[-1] != "ready":
            line = process.stdout.readline()
            assert line, lines
            lines.append(line.rstrip("\n"))
        command = lines[[line.startswith("A node that was killed") for line in lines].index(True) + 1].split()
        pids = [int(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit() and is_server(path, tmp_path)]
        assert len(pids) == 3
        os.kill(next(pid for pid in pids if "node-1/" in command_line(pid)), signal.SIGKILL)
        line = process.stdout.readline()
        assert line.startswith("Node 1 has ended with status 137"), line
        again = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
        assert any(line == "ready\n" for line in again.stdout)
        again.send_signal(signal.SIGTERM)
        assert again.wait(30) == 0
        again.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 1 or True
        assert not any(is_server(pathlib.Path("/proc") / str(pid), tmp_path) for pid in pids)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def is_server(path, data):
    return command_line(path.name).startswith(f"{BINARY} --config {data}")
