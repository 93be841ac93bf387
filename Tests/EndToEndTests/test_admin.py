"""Operators change the members of a real cluster: nothing that clients ask meanwhile fails, and nothing that is refused changes anything."""

import os
import pty
import select
import signal
import subprocess
import threading
import time

import pytest

from support.admin import ADMIN_BINARY, ask, rustfs_admin
from support.cluster import BINARY, ENVIRONMENT, ROOT, Cluster, free_ports, wait_until
from support.load import Load

BUCKET = "members"
TOKEN = "the-token-of-these-tests"


def address(node):
    return f"127.0.0.1:{node.peer_port}"


def members(node):
    return {member["id"]: member["role"] for member in node.status()["nodes"]}


def voters(node):
    return sorted(number for number, role in members(node).items() if role != "learner")


def started(cluster):
    cluster.start()
    assert cluster.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
    return cluster


@pytest.fixture(scope="module")
def shared(workspace):
    """A cluster with a token, for tests that change nothing of it for long."""
    path = workspace / "token"
    path.write_text(TOKEN + "\n")
    instance = Cluster(workspace / "administered", admin={"token_file": path})
    try:
        instance.token_path = path
        yield started(instance)
    finally:
        instance.close()


# Members.


def test_three_nodes_become_five_and_three_again_and_no_request_fails(own_cluster):
    cluster = started(own_cluster())
    staying = [cluster.node(2), cluster.node(3)]
    with Load(staying, BUCKET) as load:
        load.wait_for(200)
        for number in (4, 5):
            node = cluster.newcomer(number).start()
            wait_until(lambda: (node.status() or {}).get("state") == "waiting", 20, "a node that waits")
            assert node.admin("/health/ready")[0] == 503
            run = rustfs_admin("metadata", "add-node", "--id", number, "--address", address(node), node=cluster.node(2))
            assert run.code == 0, run
            assert f"Node {number} is a member with a vote." in run.out
            cluster.wait_until_ready(nodes=[node])
            load.wait_for(100)
        assert voters(cluster.node(2)) == [1, 2, 3, 4, 5]
        run = rustfs_admin("metadata", "verify", node=cluster.node(5))
        assert run.code == 0 and run.out.count(" yes") == 5, run
        # Two go: one that has been there from the beginning, and one that came.
        for number in (1, 4):
            leader = cluster.wait_for_leader()
            if leader.number == number:
                assert rustfs_admin("metadata", "transfer-leadership", "--to", 2, node=leader).code == 0
            run = rustfs_admin("metadata", "remove-node", "--id", number, "--yes", node=cluster.node(3))
            assert run.code == 0, run
            load.wait_for(100)
        assert voters(cluster.node(2)) == [2, 3, 5]
    assert load.failures == [], load.failures[:5]
    assert load.count > 500
    gone = [cluster.node(1), cluster.node(4)]
    for node in gone:
        wait_until(lambda: "it was removed from the cluster" in node.admin("/health/ready")[1], 15, lambda: node.admin("/health/ready"))
        assert node.status()["state"] == "stopped"
        cluster.forget(node)
    cluster.wait_until_equal()
    for number in range(4):
        assert cluster.node(5).client().request("GET", f"/{BUCKET}/load/{number}/1").status == 200


def test_the_leader_removes_itself_and_clients_of_the_others_do_not_notice(own_cluster):
    cluster = started(own_cluster())
    leader = cluster.wait_for_leader()
    others = [node for node in cluster.nodes if node is not leader]
    with Load(others, BUCKET) as load:
        load.wait_for(100)
        run = rustfs_admin("metadata", "remove-node", "--id", leader.number, "--yes", node=leader)
        assert run.code == 0, run
        load.wait_for(200)
        assert voters(others[0]) == sorted(node.number for node in others)
    assert load.failures == [], load.failures[:5]
    # It serves nobody any more, not even what is old, and says why.
    wait_until(lambda: leader.status()["state"] == "stopped", 15, leader.status)
    for headers in ({}, {"x-rustfs-read-consistency": "eventual"}):
        for method, path in (("GET", f"/{BUCKET}/load/0/1"), ("GET", f"/{BUCKET}"), ("PUT", f"/{BUCKET}/late")):
            reply = leader.client().request(method, path, headers=headers)
            assert reply.status == 503 and b"removed from the cluster" in reply.body, (method, path, headers, reply)
    status, reply = ask(leader, "POST", "/metadata/leadership", {"to": 1})
    assert status == 503 and reply["code"] == "NodeStopped"
    # Nor is it a member again by being started again.
    assert leader.stop() == 0
    leader.start()
    assert leader.process.wait(30) == 1
    assert "which has removed it: it cannot be a member again" in leader.log()
    cluster.forget(leader)


def test_a_dead_node_is_replaced_by_a_new_one(own_cluster):
    cluster = started(own_cluster())
    client = cluster.node(1).client()
    bodies = {number: os.urandom(400_000) for number in range(5)}
    for number, body in bodies.items():
        assert client.request("PUT", f"/{BUCKET}/large/{number}", body=body).status == 200
    dead = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not dead]
    dead.kill()
    new = cluster.newcomer(4).start()
    with Load(others, BUCKET) as load:
        load.wait_for(50)
        # With a wrong address it is refused, and nothing is changed.
        run = rustfs_admin(
            "metadata", "replace-node", "--id", dead.number, "--new-id", 4, "--address", f"127.0.0.1:{free_ports(1)[0]}", "--yes", node=others[0])
        assert run.code == 1 and "NodeUnreachable" in run.err, run
        assert voters(others[0]) == [1, 2, 3]
        run = rustfs_admin("metadata", "replace-node", "--id", dead.number, "--new-id", 4, "--address", address(new), "--yes", node=others[1])
        assert run.code == 0, run
        load.wait_for(50)
    assert load.failures == [], load.failures[:5]
    cluster.forget(dead)
    assert voters(new) == sorted(node.number for node in cluster.nodes)
    cluster.wait_until_ready()
    cluster.wait_until_equal()
    # It has the bodies before it votes: the one that has them all besides may go.
    others[0].kill()
    cluster.wait_until_ready(nodes=[new, others[1]])
    for number, body in bodies.items():
        assert new.client().request("GET", f"/{BUCKET}/large/{number}").body == body


def test_a_node_that_was_down_when_it_was_removed_learns_it_when_it_comes_back(own_cluster):
    """Its log says that it is a member, and nobody speaks to it: those that turn it away say why."""
    cluster = started(own_cluster())
    gone = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not gone]
    gone.kill()
    assert rustfs_admin("metadata", "remove-node", "--id", gone.number, "--yes", node=others[0]).code == 0
    # The others have forgotten what they would have told it, too.
    for node in others:
        node.kill()
    for node in others:
        node.start()
    cluster.wait_until_ready(nodes=others)
    gone.start()
    wait_until(lambda: "it was removed from the cluster" in gone.admin("/health/ready")[1], 30, lambda: gone.admin("/health/ready"))
    assert gone.stop() == 0
    gone.start()
    assert gone.process.wait(30) == 1 and "which has removed it" in gone.log()
    cluster.forget(gone)
    assert others[0].client().request("PUT", f"/{BUCKET}/after").status == 200


def test_a_wiped_node_is_replaced_under_a_new_id(own_cluster):
    cluster = started(own_cluster())
    wiped = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    other = next(node for node in cluster.nodes if node is not wiped)
    wiped.kill()
    wiped.data.rename(wiped.data.with_name("lost"))
    # The old id stays with the lost disk.
    cluster.write_configuration(wiped, joins=True)
    wiped.start()
    wait_until(lambda: {node["id"]: node["status"] for node in other.status()["nodes"]}[wiped.number] == "failed", 20, other.status)
    status, reply = ask(other, "POST", "/metadata/nodes", {"id": wiped.number, "address": address(wiped)})
    assert status == 409 and reply["code"] == "AlreadyMember"
    wiped.kill()
    new = cluster.newcomer(7).start()
    run = rustfs_admin("metadata", "replace-node", "--id", wiped.number, "--new-id", 7, "--address", address(new), "--yes", node=other)
    assert run.code == 0, run
    cluster.forget(wiped)
    cluster.wait_until_ready()
    cluster.wait_until_equal()
    assert voters(new) == sorted(node.number for node in cluster.nodes)


def test_the_script_starts_a_node_that_joins(own_cluster):
    """`script/server --join` does this with the program that it has built."""
    cluster = started(own_cluster())
    ports = free_ports(3, after=max(node.peer_port for node in cluster.nodes) + 20)
    data = cluster.directory / "script"
    for node in cluster.nodes:
        (data / f"node-{node.number}").mkdir(parents=True)
        (data / f"node-{node.number}" / "server.yaml").write_text("")
    # It takes the other nodes to be at the ports before its own; these are where the tests have put them.
    first = [port - 3 for port in ports]
    process = subprocess.Popen(
        [ROOT / "script" / "cluster", BINARY, "join:4", data, *map(str, first)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
    try:
        lines = []
        while "ready" not in lines:
            line = process.stdout.readline()
            assert line, lines
            lines.append(line.rstrip("\n"))
        command = next(line for line in lines if " metadata add-node " in line).split()
        assert command[0] == str(ADMIN_BINARY) and command[-4:] == ["--id", "4", "--address", f"127.0.0.1:{ports[2]}"]
        text = (data / "node-4" / "server.yaml").read_text()
        assert "join: true" in text and text.count("- id:") == 4
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_leadership_goes_from_node_to_node_and_no_request_fails(own_cluster):
    cluster = started(own_cluster())
    with Load(cluster.nodes, BUCKET, clients=3) as load:
        for turn in range(9):
            load.wait_for(30)
            target = cluster.node(turn % 3 + 1)
            asked = cluster.node((turn + 1) % 3 + 1)
            run = rustfs_admin("metadata", "transfer-leadership", "--to", target.number, node=asked)
            assert run.code == 0 and run.out == f"Node {target.number} leads.\n", run
            assert cluster.wait_for_leader() is target
    assert load.failures == [], load.failures[:5]


def test_a_member_moves_to_another_address(own_cluster):
    cluster = started(own_cluster())
    moved = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    others = [node for node in cluster.nodes if node is not moved]
    moved.stop()
    port = free_ports(1, after=max(node.peer_port for node in cluster.nodes) + 50)[0]
    assert rustfs_admin("metadata", "change-address", "--id", moved.number, "--address", f"127.0.0.1:{port}", node=others[0]).code == 0
    moved.peer_port = port
    cluster.write_configuration(moved)
    moved.start()
    cluster.wait_until_ready()
    assert {member["id"]: member["address"] for member in moved.status()["nodes"]}[moved.number] == f"127.0.0.1:{port}"
    assert moved.client().request("PUT", f"/{BUCKET}/moved").status == 200
    cluster.wait_until_equal()


def test_a_removal_that_would_lose_the_quorum_is_refused(own_cluster):
    cluster = started(own_cluster())
    leader = cluster.wait_for_leader()
    alive, dead = [node for node in cluster.nodes if node is not leader]
    dead.kill()
    run = rustfs_admin("metadata", "remove-node", "--id", alive.number, "--yes", node=alive)
    assert run.code == 1 and "LosesQuorum" in run.err, run
    assert voters(leader) == [1, 2, 3]
    # Force says first what is at risk.
    wait_until(lambda: {node["id"]: node["status"] for node in leader.status()["nodes"]}[dead.number] == "unreachable", 10, leader.status)
    run = rustfs_admin("metadata", "remove-node", "--id", alive.number, "--force", node=leader)
    assert run.code == 64 and "add --yes" in run.err, run
    assert "2 voters remain; 1 of them are alive, and a majority is 2." in run.err
    assert "No majority would be alive" in run.err and "which large objects" in run.err
    assert voters(leader) == [1, 2, 3]
    # The dead one may go: the rest is a living majority.
    assert rustfs_admin("metadata", "remove-node", "--id", dead.number, "--yes", node=alive).code == 0
    assert voters(leader) == sorted([leader.number, alive.number])
    cluster.forget(dead)


def test_of_two_administrators_at_once_one_is_told_to_wait(own_cluster):
    cluster = started(own_cluster())
    results = {}

    def add(number, node):
        results[number] = ask(node, "POST", "/metadata/nodes", {"id": number, "address": f"127.0.0.1:{free_ports(1)[0]}"})

    first = threading.Thread(target=add, args=(8, cluster.node(1)))
    first.start()
    leader = cluster.wait_for_leader()
    wait_until(lambda: leader.status().get("operation"), 5, leader.status)
    assert leader.status()["operation"]["node"] == 8
    add(9, cluster.node(2))
    assert results[9][0] == 409 and results[9][1]["code"] == "Busy"
    run = rustfs_admin("metadata", "remove-node", "--id", 3, "--yes", node=cluster.node(3))
    assert run.code == 1 and "Busy" in run.err
    first.join(30)
    assert results[8][0] == 409 and results[8][1]["code"] == "NodeUnreachable"
    assert voters(cluster.node(1)) == [1, 2, 3]


# What is refused.


def test_only_whom_the_token_lets_in_administers(shared):
    node = shared.node(1)
    for method, path, document in (
        ("GET", "/metadata/lag", None), ("GET", "/metadata/verify", None), ("POST", "/metadata/nodes", {"id": 4, "address": "a:1"}),
        ("DELETE", "/metadata/nodes/3", None), ("POST", "/metadata/nodes/3/replace", {"id": 4, "address": "a:1"}),
        ("PUT", "/metadata/nodes/3/address", {"address": "a:1"}), ("POST", "/metadata/leadership", {"to": 2}),
    ):
        for token in (None, "another-token-of-tests", TOKEN[:-1]):
            status, reply = ask(node, method, path, document, token=token)
            assert status == 401 and reply["code"] == "Unauthorized", (method, path, token, reply)
    assert voters(node) == [1, 2, 3]
    for path in ("/metrics", "/health/live", "/health/ready", "/version", "/metadata/status", "/"):
        assert ask(node, "GET", path)[0] == 200
    assert ask(node, "GET", "/metadata/lag", token=TOKEN)[0] == 200
    run = rustfs_admin("metadata", "lag", node=node)
    assert run.code == 77 and "Unauthorized" in run.err and run.out == ""
    assert rustfs_admin("metadata", "lag", node=node, environment={"RUSTFS_ADMIN_TOKEN": "another-token-of-tests"}).code == 77
    assert rustfs_admin("metadata", "lag", node=node, environment={"RUSTFS_ADMIN_TOKEN": TOKEN}).code == 0
    assert rustfs_admin("metadata", "lag", "--token-file", shared.token_path, node=node).code == 0
    assert rustfs_admin("metadata", "lag", "--token-file", "/no/such/file", node=node).code == 66
    log = node.log()
    assert TOKEN not in log and "another-token" not in log
    lines = [line for line in log.splitlines() if "message=administration" in line]
    assert any("by=nobody" in line and "outcome=Unauthorized" in line and "action=remove-node" in line for line in lines)
    assert any("by=token" in line and "outcome=done" in line and "action=lag" in line and "from=127.0.0.1:" in line for line in lines)


def test_a_token_ends_when_its_file_has_another_one(shared):
    node = shared.node(2)
    try:
        shared.token_path.write_text("a-second-token-of-tests")
        assert ask(node, "GET", "/metadata/lag", token=TOKEN)[0] == 401
        assert ask(node, "GET", "/metadata/lag", token="a-second-token-of-tests")[0] == 200
        for content in ("", "short", "two words of a token"):
            shared.token_path.write_text(content)
            assert ask(node, "GET", "/metadata/lag", token=content.strip() or "x")[0] == 503
        shared.token_path.unlink()
        status, reply = ask(node, "GET", "/metadata/lag", token=TOKEN)
        assert status == 503 and reply["code"] == "CredentialsUnavailable"
    finally:
        shared.token_path.write_text(TOKEN + "\n")
    assert ask(node, "GET", "/metadata/lag", token=TOKEN)[0] == 200


BAD_REQUESTS = [
    ("POST", "/metadata/nodes", b"", 400), ("POST", "/metadata/nodes", b"{", 400), ("POST", "/metadata/nodes", b"[1]", 400),
    ("POST", "/metadata/nodes", b'{"id":4}', 400), ("POST", "/metadata/nodes", b'{"id":4,"address":"a:1","colour":"red"}', 400),
    ("POST", "/metadata/nodes", b'{"id":"4","address":"a:1"}', 400), ("POST", "/metadata/nodes", b'{"id":4,"address":"nowhere"}', 400),
    ("POST", "/metadata/nodes", b" " * 70_000, 413), ("POST", "/metadata/nodes", b" " * 400_000, 413),
    ("POST", "/metadata/nodes", b'{"id":1,"address":"127.0.0.1:1"}', 409), ("GET", "/metadata/nodes", None, 405),
    ("DELETE", "/metadata/nodes/77", None, 404), ("DELETE", "/metadata/nodes/three", None, 400),
    ("DELETE", "/metadata/nodes/3?force=perhaps", None, 400), ("DELETE", "/metadata/nodes/3?forse=true", None, 400),
    ("POST", "/metadata/nodes/77/replace", b'{"id":4,"address":"127.0.0.1:1"}', 404),
    ("POST", "/metadata/nodes/3/replace", b'{"id":3,"address":"127.0.0.1:1"}', 400),
    ("POST", "/metadata/nodes/3/replace", b'{"id":2,"address":"127.0.0.1:1"}', 409),
    ("PUT", "/metadata/nodes/77/address", b'{"address":"127.0.0.1:1"}', 404), ("PUT", "/metadata/nodes/3/address", b"{}", 400),
    ("POST", "/metadata/leadership", b'{"to":77}', 404), ("POST", "/metadata/leadership", b'{"to":"1"}', 400),
    ("PUT", "/metadata/leadership", b'{"to":1}', 405), ("POST", "/metadata/nodes/3/promote", b"{}", 404),
    ("GET", "/metadata/verify?timeout_ms=never", None, 400),
]


@pytest.mark.parametrize("method, path, body, expected", BAD_REQUESTS, ids=lambda value: str(value)[:60])
def test_bad_requests_are_refused_in_words_and_change_nothing(shared, method, path, body, expected):
    for node in shared.nodes[:2]:
        before = members(node)
        status, reply = ask(node, method, path, body=body, token=TOKEN)
        assert status == expected, reply
        assert reply["code"] and reply["message"].endswith("."), reply
        assert set(members(node)) == set(before)


BAD_COMMANDS = [
    ((), 64), (("add-node",), 64), (("add-node", "--id", "4"), 64), (("add-node", "--address", "a:1"), 64),
    (("add-node", "--id", "four", "--address", "a:1"), 64), (("add-node", "--id", "0", "--address", "a:1"), 64),
    (("add-node", "--id", "4", "--address", "nowhere"), 64), (("add-node", "--id", "4", "--address", "a:99999"), 64),
    (("add-node", "--id", "4", "--address", "a:1", "--force"), 64), (("add-node", "--id", "1", "--address", "127.0.0.1:1"), 1),
    (("remove-node",), 64), (("remove-node", "--id", "3"), 64), (("remove-node", "--id", "77", "--yes"), 1),
    (("replace-node", "--id", "3", "--new-id", "3", "--address", "a:1", "--yes"), 64), (("replace-node", "--id", "3", "--address", "a:1"), 64),
    (("replace-node", "--id", "3", "--new-id", "4", "--address", "a:1"), 64),
    (("replace-node", "--id", "77", "--new-id", "4", "--address", "127.0.0.1:1", "--yes"), 1),
    (("transfer-leadership",), 64), (("transfer-leadership", "--to", "77"), 1), (("transfer-leadership", "--to", "-1"), 64),
    (("change-address", "--id", "77", "--address", "127.0.0.1:1"), 1), (("status", "--output", "xml"), 64), (("status", "--timeout", "0"), 64),
    (("status", "--colour"), 64), (("lag", "--client-cert", "x"), 64), (("promote",), 64),
]


@pytest.mark.parametrize("arguments, code", BAD_COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value))
def test_bad_commands_say_what_is_wrong_and_change_nothing(shared, arguments, code):
    before = members(shared.node(1))
    # The part after the command's name is what a person has mistyped.
    options = ("--endpoint", f"http://127.0.0.1:{shared.node(1).admin_port}") if arguments else ()
    run = rustfs_admin("metadata", *arguments, *options, environment={"RUSTFS_ADMIN_TOKEN": TOKEN})
    if arguments == ():
        # Nothing is asked for: the help.
        assert run.code == 0 and "SUBCOMMANDS" in run.out
    else:
        assert run.code == code, run
        assert len(run.err) > 20
    assert set(members(shared.node(1))) == set(before)


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://127.0.0.1:9100/path", "http://a b:1"])
def test_endpoints_that_are_none(endpoint):
    run = rustfs_admin("metadata", "status", "--endpoint", endpoint)
    assert run.code == 64 and ("no endpoint" in run.err or "no port" in run.err), run


def test_the_first_endpoint_that_answers_is_asked(shared):
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    alive = f"127.0.0.1:{shared.node(2).admin_port}"
    run = rustfs_admin("metadata", "status", "--endpoint", dead)
    assert run.code == 69 and dead in run.err, run
    run = rustfs_admin("metadata", "status", "--endpoint", dead, "--endpoint", alive, "--output", "json")
    assert run.code == 0 and run.document["node_id"] == 2
    run = rustfs_admin("metadata", "status", "--output", "json", environment={"RUSTFS_ADMIN_ENDPOINT": f"{dead},{alive}"})
    assert run.code == 0 and run.document["node_id"] == 2
    run = rustfs_admin("metadata", "transfer-leadership", "--to", 2, "--endpoint", dead, "--endpoint", alive, environment={"RUSTFS_ADMIN_TOKEN": TOKEN})
    assert run.code == 0, run


def test_output(shared):
    node, environment = shared.node(1), {"RUSTFS_ADMIN_TOKEN": TOKEN}
    status = node.status()
    run = rustfs_admin("metadata", "status", "--output", "json", node=node)
    assert set(run.document) == set(status) and run.document["cluster_id"] == status["cluster_id"]
    run = rustfs_admin("metadata", "status", node=node)
    head = next(line for line in run.out.splitlines() if "ADDRESS" in line)
    rows = [line for line in run.out.splitlines() if f"127.0.0.1:{node.peer_port}"[:10] in line]
    assert len(rows) == 3 and all(row.index("127.") == head.index("ADDRESS") for row in rows)
    run = rustfs_admin("metadata", "lag", "--output", "json", node=node, environment=environment)
    assert {member["id"] for member in run.document["nodes"]} == {1, 2, 3}
    run = rustfs_admin("metadata", "verify", "--output", "json", node=node, environment=environment)
    assert run.document["verdict"] == "equal" and len({member["digest"] for member in run.document["nodes"]}) == 1
    run = rustfs_admin("metadata", "transfer-leadership", "--to", 77, "--output", "json", node=node, environment=environment)
    assert run.code == 1 and run.document["code"] == "NoSuchNode" and "NoSuchNode" in run.err


def test_the_outcome_is_unknown_when_a_node_says_nothing(own_cluster):
    cluster = started(own_cluster())
    node = cluster.node(1)
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        run = rustfs_admin("metadata", "transfer-leadership", "--to", 2, "--timeout", 1, node=node)
        assert run.code == 2 and "may still come to pass" in run.err, run
        # What is only looked at can be asked of the next one.
        run = rustfs_admin("metadata", "status", "--timeout", 1, "--endpoint", f"127.0.0.1:{node.admin_port}", "--endpoint", f"127.0.0.1:{cluster.node(2).admin_port}", "--output", "json")
        assert run.code == 0 and run.document["node_id"] == 2
    finally:
        os.kill(node.process.pid, signal.SIGCONT)


def test_without_a_quorum_a_command_is_refused_and_a_caller_does_not_hang(own_cluster):
    cluster = started(own_cluster())
    survivor = cluster.node(1)
    for node in (cluster.node(2), cluster.node(3)):
        node.kill()
    wait_until(lambda: survivor.status().get("leader_id") is None, 20, survivor.status)
    began = time.monotonic()
    status, reply = ask(survivor, "DELETE", "/metadata/nodes/3?timeout_ms=500")
    assert status == 503 and reply["code"] == "NoLeader" and time.monotonic() - began < 5
    run = rustfs_admin("metadata", "verify", "--timeout", 1, node=survivor)
    assert run.code == 69 and "No leader is known" in run.err


def test_a_verification_tells_who_did_not_answer(own_cluster):
    cluster = started(own_cluster())
    dead = next(node for node in cluster.nodes if node is not cluster.wait_for_leader())
    asked = next(node for node in cluster.nodes if node is not dead)
    dead.kill()
    run = rustfs_admin("metadata", "verify", "--output", "json", node=asked)
    assert run.code == 2 and run.document["verdict"] == "incomplete", run
    assert [member["id"] for member in run.document["nodes"] if "digest" not in member] == [dead.number]


def test_a_single_node_has_nothing_to_administer(own_server):
    own_server.start()
    for command in ("status", "lag", "verify"):
        run = rustfs_admin("metadata", command, "--endpoint", own_server.admin_url)
        assert run.code == 1 and "belongs to no cluster" in run.err, run


def test_a_person_is_asked_and_sees_how_far_it_is(own_cluster):
    """On a terminal: a confirmation, and a line that shows the progress."""
    cluster = started(own_cluster())
    node = cluster.newcomer(4).start()
    wait_until(lambda: node.status(), 20, "a node that waits")

    def on_terminal(arguments, answer=b""):
        main, side = pty.openpty()
        process = subprocess.Popen(
            [str(ADMIN_BINARY), "metadata", *map(str, arguments), "--endpoint", f"http://127.0.0.1:{cluster.node(1).admin_port}"],
            stdin=side, stdout=subprocess.PIPE, stderr=side, env=ENVIRONMENT)
        os.close(side)
        os.write(main, answer)
        seen = b""
        while process.poll() is None or select.select([main], [], [], 0)[0]:
            if select.select([main], [], [], 0.1)[0]:
                try:
                    seen += os.read(main, 4096)
                except OSError:
                    break
        process.wait(60)
        os.close(main)
        return process.returncode, process.stdout.read().decode(), seen.decode(errors="replace")

    code, out, seen = on_terminal(["add-node", "--id", 4, "--address", address(node)])
    assert code == 0 and "Node 4 is a member" in out and "Node 4:" in seen, (code, out, seen)
    code, out, seen = on_terminal(["remove-node", "--id", 4], b"n\n")
    assert code == 64 and "Remove node 4?" in seen and "Nothing was changed" in seen, (code, out, seen)
    assert voters(cluster.node(1)) == [1, 2, 3, 4]
    code, out, seen = on_terminal(["remove-node", "--id", 4], b"y\n")
    assert code == 0 and voters(cluster.node(1)) == [1, 2, 3], (code, out, seen)


# Whom the address lets in.


def test_an_address_for_others_lets_nobody_administer_without_credentials(own_cluster):
    cluster = own_cluster()
    for node in cluster.nodes:
        text = node.configuration_path.read_text()
        node.configuration_path.write_text(text.replace('admin:\n  address: "127.0.0.1:', 'admin:\n  address: "0.0.0.0:'))
    started(cluster)
    status, reply = ask(cluster.node(1), "GET", "/metadata/lag")
    assert status == 403 and reply["code"] == "AccessDisabled" and "admin.token_file" in reply["message"]
    assert ask(cluster.node(1), "GET", "/metadata/status")[0] == 200
    run = rustfs_admin("metadata", "lag", node=cluster.node(1))
    assert run.code == 77 and "admin.token_file" in run.err


def test_a_web_page_does_not_administer_a_local_node(own_cluster):
    cluster = started(own_cluster())
    node = cluster.node(1)
    assert ask(node, "GET", "/metadata/lag", headers={"Host": "evil.example"})[0] == 403
    assert ask(node, "POST", "/metadata/leadership", body='{"to":2}', headers={"Content-Type": "text/plain"})[0] == 415


def certificates(directory):
    """An authority, a certificate of the node, one of an operator, and one that nobody has signed."""
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=directory)

    directory.mkdir()
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "odd.key", "-out", "odd.pem", "-days", "2", "-subj", "/CN=stranger")
    (directory / "node.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    (directory / "anna.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("node", "anna"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", f"{name}.ext")
    return directory


def test_certificates_in_the_place_of_tokens(own_cluster, workspace):
    keys = certificates(workspace / "certificates")
    tls = f"{{certificate_file: {keys}/node.pem, private_key_file: {keys}/node.key, client_ca_file: {keys}/ca.pem}}"
    cluster = own_cluster(admin={"token": TOKEN, "tls": tls})
    node = cluster.node(1)
    for each in cluster.nodes:
        each.start()
    options = ("--endpoint", f"https://127.0.0.1:{node.admin_port}", "--ca-cert", keys / "ca.pem")
    anna = ("--client-cert", keys / "anna.pem", "--client-key", keys / "anna.key")
    wait_until(lambda: "ready, applied" in rustfs_admin("metadata", "status", *options).out, 30, node.log)
    assert rustfs_admin("metadata", "lag", *options).code == 77
    assert rustfs_admin("metadata", "lag", *options, environment={"RUSTFS_ADMIN_TOKEN": TOKEN}).code == 0
    run = rustfs_admin("metadata", "lag", *options, *anna)
    assert run.code == 0, run
    assert any("message=administration" in line and "common_name=anna" in line and "outcome=done" in line for line in node.log().splitlines())
    # One that nobody has signed is no connection at all, and neither is a node that the authority does not know.
    run = rustfs_admin("metadata", "lag", *options, "--client-cert", keys / "odd.pem", "--client-key", keys / "odd.key")
    assert run.code == 69, run
    run = rustfs_admin("metadata", "lag", *options[:2], "--ca-cert", keys / "odd.pem", *anna)
    assert run.code == 69, run
    assert rustfs_admin("metadata", "lag", *options[:2], "--ca-cert", keys / "none.pem").code == 66
    assert rustfs_admin("metadata", "status", "--endpoint", f"http://127.0.0.1:{node.admin_port}").code == 69


# A node that is to join.


def test_a_node_with_data_of_its_own_does_not_join(own_cluster):
    cluster = own_cluster()
    node = cluster.newcomer(4)
    cluster.write_configuration(node, engine="local")
    node.start()
    cluster.wait_until_ready(nodes=[node])
    assert node.client().request("PUT", f"/{BUCKET}").status == 200
    assert node.stop() == 0
    cluster.write_configuration(node, joins=True)
    node.start()
    assert node.process.wait(30) == 1
    assert "holds data of a single node" in node.log()
    node.process = None


def test_a_node_of_another_cluster_is_not_added(own_cluster):
    first, second = started(own_cluster()), own_cluster()
    second.start()
    other = second.node(1)
    status, reply = ask(first.node(1), "POST", "/metadata/nodes", {"id": 4, "address": address(other)})
    assert status == 409 and reply["code"] in ("NodeUnreachable", "NotEmpty"), reply
    assert voters(first.node(1)) == [1, 2, 3]
