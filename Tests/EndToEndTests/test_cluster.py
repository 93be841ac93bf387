"""Three real nodes are one service: every node takes every request, and any one of them may go."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.bulk import put_many
from support.cluster import BINARY, ENVIRONMENT, ROOT, Cluster, free_port_row, free_ports, wait_until

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


# The log keeps 64 MiB behind a snapshot, in segments of 64 MiB: this is more than both.
LATE_COUNT, LATE_BYTES = 1150, 128 * 1024


@pytest.fixture(scope="module")
def far_behind(workspace):
    """A cluster with a node that is stopped and lacks more than the log will keep. It is made early: a node takes one snapshot a minute."""
    instance = Cluster(workspace / "far-behind", raft={"max_log_entries": 200})
    try:
        instance.start()
        assert instance.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
        leader = instance.wait_for_leader()
        late, other = [node for node in instance.nodes if node is not leader]
        assert put(other, "first").status == 200
        assert late.stop() == 0
        body = os.urandom(LATE_BYTES)
        put_many(other.s3_port, BUCKET, [f"late/{number}" for number in range(LATE_COUNT)], body)
        yield instance, late, body
    finally:
        instance.close()


def put(node, key, body=b"x", **options):
    return node.client(**options).request("PUT", f"/{BUCKET}/{key}", body=body)


def get(node, key, bucket=BUCKET):
    return node.client().request("GET", f"/{bucket}/{key}")


def keys(node, prefix, bucket=BUCKET):
    text = node.client().request("GET", f"/{bucket}", query="list-type=2&prefix=" + prefix.replace("/", "%2F")).body.decode()
    return [piece.split("</Key>")[0] for piece in text.split("<Key>")[1:]]


def test_it_forms_within_seconds(cluster, far_behind):
    assert cluster.formed_seconds < 20
    found = [node.status() for node in cluster.nodes]
    assert len({status["cluster_id"] for status in found}) == 1
    assert {member["id"] for member in found[0]["nodes"]} == {1, 2, 3}


def test_tags_and_copied_parts_are_seen_on_every_node(cluster):
    first, second, third = (node.client() for node in cluster.nodes)
    tags = b"<Tagging><TagSet><Tag><Key>k</Key><Value>%s</Value></Tag></TagSet></Tagging>"
    for name in (b"1", b"2"):
        assert put(cluster.nodes[0], "tagged", b"body").status == 200
        assert second.request("PUT", f"/{BUCKET}/tagged", query="tagging=", body=tags % name).status == 200
        assert third.request("PUT", f"/{BUCKET}", query="tagging=", body=tags % name).status == 204
        for client in (first, second, third):
            assert b"<Value>%s</Value>" % name in client.request("GET", f"/{BUCKET}/tagged", query="tagging=").body
            assert b"<Value>%s</Value>" % name in client.request("GET", f"/{BUCKET}", query="tagging=").body
    assert first.request("DELETE", f"/{BUCKET}", query="tagging=").status == 204
    assert second.request("GET", f"/{BUCKET}", query="tagging=").status == 404
    started = second.request("POST", f"/{BUCKET}/copied", query="uploads=").body.decode()
    upload = started.split("<UploadId>")[1].split("<")[0]
    part = third.request(
        "PUT", f"/{BUCKET}/copied", query=f"partNumber=1&uploadId={upload}",
        headers={"x-amz-copy-source": f"/{BUCKET}/tagged", "x-amz-copy-source-range": "bytes=1-2"})
    assert part.status == 200, part.body
    tag = part.body.decode().split("<ETag>")[1].split("<")[0]
    done = first.request(
        "POST", f"/{BUCKET}/copied", query=f"uploadId={upload}",
        body=f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>".encode())
    assert done.status == 200, done.body
    assert get(cluster.nodes[1], "copied").body == b"od"
    cluster.wait_until_equal()


def test_followers_know_how_all_nodes_are(cluster):
    """Each node's status, not only the leader's, tells how all are, and how far."""
    def seen(node):
        return {member["id"]: member["status"] for member in node.status()["nodes"]}

    def all_see(nodes, expected, seconds):
        wait_until(lambda: all(seen(node) == expected for node in nodes), seconds, lambda: [seen(node) for node in nodes])

    healthy = {1: "healthy", 2: "healthy", 3: "healthy"}
    all_see(cluster.nodes, healthy, 4)
    for node in cluster.nodes:
        assert "rustfs_metadata_node_healthy" in node.admin("/metrics")[1]
        for number in (1, 2, 3):
            assert f'rustfs_metadata_node_healthy{{node="{number}"}} 1' in node.admin("/metrics")[1]
    index = int(put(cluster.nodes[0], "health").headers["x-rustfs-applied-index"])

    def told():
        return [(member["applied_index"], member["lag_entries"]) for node in cluster.nodes for member in node.status()["nodes"]]

    wait_until(lambda: all(applied is not None and applied >= index and lag == 0 for applied, lag in told()), 4, told)
    follower = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not follower]
    follower.kill()
    # Its connections are closed: nobody has to wait for its silence.
    all_see(others, healthy | {follower.number: "unreachable"}, 2)
    follower.start()
    cluster.wait_until_ready()
    all_see(cluster.nodes, healthy, 4)


def test_a_member_whose_disk_was_wiped_is_called_failed(own_cluster):
    cluster = own_cluster().start()
    wiped = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not wiped]
    wiped.kill()
    kept = wiped.data.rename(wiped.data.with_name("kept"))
    wiped.start()

    def seen():
        return [member["status"] for node in others for member in node.status()["nodes"] if member["id"] == wiped.number]

    wait_until(lambda: seen() == ["failed", "failed"], 10, seen)
    assert wiped.stop() == 0
    shutil.rmtree(wiped.data)
    kept.rename(wiped.data)
    wiped.start()
    cluster.wait_until_ready()
    wait_until(lambda: seen() == ["healthy", "healthy"], 10, seen)


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
    eventually = {"x-rustfs-read-consistency": "eventual"}
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
        # What it has it still gives, to whoever asks for no more.
        assert read(alone, "minority/before", eventually).status == 200
        assert read(alone, "minority/majority", eventually).status == 404
        assert read(alone, "minority/before", {"x-rustfs-read-consistency": "bounded=100"}).status == 503
    finally:
        cluster.proxy.apply()
    cluster.wait_until_ready()
    assert get(alone, "minority/majority").status == 200
    cluster.wait_until_equal()


def read(node, key, headers):
    return node.client().request("GET", f"/{BUCKET}/{key}", headers=headers)


def test_clients_choose_how_fresh_reads_are(cluster):
    writer, reader = cluster.nodes[0], cluster.nodes[1]
    for number in range(20):
        reply = put(writer, "fresh/key", str(number).encode())
        index = int(reply.headers["x-rustfs-applied-index"])
        # Without a quorum's help, and never less than what was written.
        seen = read(reader, "fresh/key", {"x-rustfs-read-consistency": "eventual", "x-rustfs-min-index": str(index)})
        assert (seen.status, seen.body) == (200, str(number).encode())
        assert int(seen.headers["x-rustfs-applied-index"]) >= index
    for value in ("linearizable", "bounded=60000"):
        assert read(reader, "fresh/key", {"x-rustfs-read-consistency": value}).status == 200
    listed = reader.client().request(
        "GET", f"/{BUCKET}", query="list-type=2&prefix=fresh%2F",
        headers={"x-rustfs-read-consistency": "eventual", "x-rustfs-min-index": str(index)})
    assert b"<Key>fresh/key</Key>" in listed.body
    # An index that the log has not reached is waited for, and not for ever.
    late = read(reader, "fresh/key", {"x-rustfs-read-consistency": "eventual", "x-rustfs-min-index": str(index + 1_000_000)})
    assert late.status == 503 and int(late.headers["retry-after"]) >= 1


@pytest.mark.parametrize("name, value", [
    ("x-rustfs-read-consistency", "strong"), ("x-rustfs-read-consistency", "bounded="), ("x-rustfs-read-consistency", "bounded=0"),
    ("x-rustfs-min-index", "-1"), ("x-rustfs-min-index", "18446744073709551616"), ("x-rustfs-write-consistency", "weak"),
])
def test_a_consistency_that_is_none_is_refused_by_name(cluster, name, value):
    reply = read(cluster.nodes[0], "fresh/key", {name: value})
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert name.encode() in reply.body


def test_eventual_writes_arrive_and_conditional_ones_are_strong(cluster):
    eventually = {"x-rustfs-write-consistency": "eventual"}
    writer, reader = cluster.nodes[0], cluster.nodes[2]
    path = f"/{BUCKET}/eventual/key"
    assert writer.client().request("PUT", path, body=b"soon", headers=eventually).status == 200
    wait_until(lambda: get(reader, "eventual/key").body == b"soon", 10, "the eventual write")
    refused = writer.client().request("PUT", path, body=b"no", headers=eventually | {"if-none-match": "*"})
    assert (refused.status, refused.code) == (412, "PreconditionFailed")
    assert writer.client().request("PUT", "/no-such-bucket/key", body=b"no", headers=eventually).status == 404
    assert writer.client().request("DELETE", path, headers=eventually).status == 204
    wait_until(lambda: get(reader, "eventual/key").status == 404, 10, "the eventual delete")


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


@pytest.mark.parametrize("old, new, words", [
    ("- id: 3", "- id: 2", "metadata.replication.nodes[2].id: the id 2 is used twice"),
    ("node_id: 1", "node_id: 4", "metadata.replication.node_id: is 4, which is not among the nodes (1, 2, 3)"),
    ("election_timeout_ms: 1000", "election_timeout_ms: 299", "election_timeout_ms: the election timeout (299 ms) must be at least 3"),
    ("127.0.0.1:{peer}", "127.0.0.1", "metadata.replication.nodes[1].address: is '127.0.0.1', which has no port"),
])
def test_a_list_of_nodes_that_cannot_be_is_refused_by_name(own_cluster, old, new, words):
    cluster = own_cluster(raft={"election_timeout_ms": 1000, "heartbeat_interval_ms": 100})
    node = cluster.nodes[0]
    text = node.configuration_path.read_text()
    old = old.format(peer=cluster.outer_ports[1])
    assert old in text
    node.configuration_path.write_text(text.replace(old, new))
    code, errors = run_to_end(node)
    assert code == 78 and str(node.configuration_path) in errors and words in errors, errors
    assert not node.data.exists()


def test_an_even_number_of_nodes_and_an_unreachable_one_are_warned_about(own_cluster):
    cluster = own_cluster(4)
    node, other = cluster.nodes[:2]
    text = node.configuration_path.read_text()
    other_address, unreachable = f'"127.0.0.1:{cluster.outer_ports[1]}"', '"no-such-host.invalid:7000"'
    node.configuration_path.write_text(text.replace(other_address, unreachable))
    node.start()
    wait_until(lambda: len(troubles(node)) == 3, 20, lambda: troubles(node))
    log = node.log()
    assert "metadata.replication.nodes: has 4 nodes: an even number survives no more failures than 3" in log
    assert any("node=2" in line and "address=no-such-host.invalid:7000" in line for line in troubles(node))
    assert any("node=3" in line and f"address=127.0.0.1:{cluster.outer_ports[2]}" in line for line in troubles(node))
    assert node.ended() is None


def troubles(node):
    return [line for line in node.log().splitlines() if "there is no connection with a peer" in line and "level=warning" in line]


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


# Snapshots.


def test_a_node_that_is_far_behind_catches_up_by_a_snapshot(far_behind):
    cluster, late, body = far_behind
    others = [node for node in cluster.nodes if node is not late]
    first_segment = pathlib.Path("raft", "log", "00000000000000000001.log")
    wait_until(
        lambda: not any((node.data / first_segment).exists() for node in others), 90, "the beginning of the log is compacted away")
    late.start()
    cluster.wait_until_ready()
    wait_until(lambda: "A snapshot is the state now" in late.log(), 60, "a snapshot was installed")
    cluster.wait_until_equal()
    assert get(late, f"late/{LATE_COUNT - 1}").body == body and get(late, "first").status == 200
    # It stays what it is after a restart.
    late.kill()
    late.start()
    cluster.wait_until_ready()
    cluster.wait_until_equal()


# The script that people start a cluster with.


def test_the_script_ends_when_a_node_cannot_start(tmp_path):
    s3_port = free_port_row(2 * 3)
    with socket.create_server(("127.0.0.1", s3_port + 1)):
        ended = subprocess.run(
            [ROOT / "script" / "cluster", BINARY, "2", tmp_path / "data", str(s3_port), str(s3_port + 2), str(s3_port + 4)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT, timeout=60,
        )
    assert ended.returncode == 1
    assert "node 2 could not start" in ended.stderr
    assert "address is already in use" in ended.stderr
    assert "ready" not in ended.stdout


def test_ctrl_c_ends_all_nodes_of_the_script(tmp_path):
    s3_port = free_port_row(3 * 3)
    admin_port, peer_port = s3_port + 3, s3_port + 6
    process = subprocess.Popen(
        [ROOT / "script" / "cluster", BINARY, "3", tmp_path / "data", str(s3_port), str(admin_port), str(peer_port)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=ENVIRONMENT,
        # Of a shell in the background a child would inherit that Ctrl-C is ignored, and a shell cannot change that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
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
        line = next(process.stdout)
        assert line == f"Node 1 was killed by SIGKILL; the others go on. Start it again with: {' '.join(command)}\n"
        again = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
        assert any(line == "ready\n" for line in again.stdout)
        again.send_signal(signal.SIGTERM)
        assert again.wait(30) == 0
        again.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stdout.read() == "", "nothing else is said"
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
