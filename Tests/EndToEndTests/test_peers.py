"""Between the nodes: mutual TLS, and strangers at the peers' port."""

import os
import socket
import subprocess
import threading

import pytest

from support.cluster import Cluster, wait_until

BUCKET = "peers"


class Authority:
    """A certificate authority that lives for a test, and what it signs for 127.0.0.1."""

    def __init__(self, directory, name):
        self.directory, self.name = directory / name, name
        self.directory.mkdir()
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", "ca.key", "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def issue(self, name):
        """The value of `metadata.replication.tls` for a node with a new certificate."""
        (self.directory / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        self.openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        files = {"certificate_file": f"{name}.pem", "private_key_file": f"{name}.key", "ca_file": "ca.pem"}
        return "{" + ", ".join(f'{key}: "{self.directory / file}"' for key, file in files.items()) + "}"


def configure(cluster, node, tls):
    cluster.replication = {"tls": tls}
    cluster.write_configuration(node)


def put(node, key, body=b"x"):
    return node.client().request("PUT", f"/{BUCKET}/{key}", body=body)


def get(node, key):
    return node.client().request("GET", f"/{BUCKET}/{key}")


@pytest.fixture
def secured(tmp_path):
    """A running cluster whose nodes show certificates to each other, each one of its own."""
    authority = Authority(tmp_path, "ours")
    cluster = Cluster(tmp_path / "cluster")
    tls = {node.number: authority.issue(f"node-{node.number}") for node in cluster.nodes}
    for node in cluster.nodes:
        configure(cluster, node, tls[node.number])
    try:
        cluster.start()
        assert cluster.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
        yield cluster, tls
    finally:
        cluster.close()


def test_nodes_with_certificates_are_one_cluster_and_a_stranger_stays_outside(secured, tmp_path):
    cluster, tls = secured
    for number, node in enumerate(cluster.nodes):
        assert put(node, f"key-{number}", os.urandom(100_000)).status == 200
    assert {get(node, "key-1").status for node in cluster.nodes} == {200}
    cluster.wait_until_equal()

    # Its disk is a member's; its certificate is not.
    leader = cluster.wait_for_leader()
    odd, other = [node for node in cluster.nodes if node is not leader]
    assert odd.stop() == 0
    configure(cluster, odd, Authority(tmp_path, "theirs").issue("stranger"))
    before = {node.number: node.log() for node in (leader, other)}
    odd.start()

    def refused(node):
        return "a connection failed before its handshake" in node.log().removeprefix(before[node.number])

    wait_until(lambda: refused(leader) and refused(other), 20, lambda: leader.log()[-2000:])
    wait_until(lambda: "there is no connection with a peer" in odd.log(), 20, "the stranger says so, too")
    assert put(other, "without", b"1").status == 200
    assert not odd.is_ready()
    # Said once, however often it tries.
    for node in (leader, other):
        assert node.log().removeprefix(before[node.number]).count("a connection failed before its handshake") == 1

    assert odd.stop() == 0
    configure(cluster, odd, tls[odd.number])
    odd.start()
    cluster.wait_until_ready()
    cluster.wait_until_equal()
    assert get(odd, "without").body == b"1"


def test_a_node_without_certificates_stays_outside(secured):
    cluster, tls = secured
    leader = cluster.wait_for_leader()
    plain = next(node for node in cluster.nodes if node is not leader)
    assert plain.stop() == 0
    cluster.replication = {}
    cluster.write_configuration(plain)
    before = leader.log()
    plain.start()
    wait_until(lambda: "a connection failed before its handshake" in leader.log().removeprefix(before), 20, "the log says so")
    assert put(leader, "without").status == 200 and not plain.is_ready()


def crowd(port, stopping, first_bytes):
    """Holds as many connections as the node lets it, and replaces those that it closes."""
    held = []
    while not stopping.is_set():
        try:
            held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
            held[-1].sendall(first_bytes)
        except OSError:
            pass
        if len(held) > 150:
            held.pop(0).close()
    for connection in held:
        connection.close()


@pytest.mark.parametrize("first_bytes", [b"", b"rfs\0", b"rfs\2rfs-peer", b"rfs\3rfs-peer", b"\xff" * 4096], ids=["silent", "opening", "snapshots", "bodies", "garbage"])
def test_a_crowd_of_strangers_keeps_no_node_out(tmp_path, first_bytes):
    cluster = Cluster(tmp_path / "cluster")
    stopping = threading.Event()
    crowds = []
    try:
        cluster.start()
        assert cluster.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
        leader = cluster.wait_for_leader()
        late = next(node for node in cluster.nodes if node is not leader)
        assert late.stop() == 0
        crowds = [threading.Thread(target=crowd, args=(node.peer_port, stopping, first_bytes)) for node in cluster.nodes]
        for thread in crowds:
            thread.start()
        assert put(leader, "during").status == 200
        late.start()
        cluster.wait_until_ready(60, [late])
        wait_until(lambda: get(late, "during").status == 200, 30, "a read on the node that came back")
        for node in cluster.nodes:
            assert node.ended() is None
        # Whoever they are, they get a few lines of the log and not one each.
        assert leader.log().count("level=warning") < 40, leader.log()[-4000:]
    finally:
        stopping.set()
        for thread in crowds:
            thread.join()
        cluster.close()
