"""A cluster of real servers on this machine, each over a data directory of its own. Needs the standard library alone."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from support.light import LightClient
from support.proxy import Proxy

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("RUSTFS_BINARY", ROOT / ".build" / "release" / "rustfs-metadata"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RUSTFS_")}


def free_ports(count, after=None):
    """Ports that nothing listens on now, below those that the system gives to clients."""
    ports, candidate = [], after or 20_000 + os.getpid() * 37 % 10_000
    while len(ports) < count:
        candidate = 20_000 + (candidate - 20_000 + 1) % 12_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            ports.append(candidate)
    return ports


def free_port_row(count):
    """The first of as many ports in a row that nothing listens on now."""
    ports = free_ports(count)
    while ports[-1] - ports[0] != count - 1:
        ports = ports[1:] + [free_ports(1, after=ports[-1])[0]]
    return ports[0]


def wait_until(condition, seconds, what):
    """Waits until `condition()` is true and returns it; `what` may be a function."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Node:
    """One server: its configuration, its process, what its administration endpoint says."""

    def __init__(self, cluster, number, data, s3_port, admin_port, peer_port):
        self.cluster, self.number, self.data = cluster, number, pathlib.Path(data)
        self.s3_port, self.admin_port, self.peer_port = s3_port, admin_port, peer_port
        self.directory = cluster.directory / f"node-{number}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log_path = self.directory / "server.log"
        self.process = None
        self.environment = {}
        self.command_prefix = []
        self.starts = 0

    @property
    def configuration_path(self):
        return self.directory / "server.yaml"

    def start(self):
        assert self.process is None, f"node {self.number} runs already"
        self.starts += 1
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.command_prefix, str(BINARY), "--config", str(self.configuration_path)], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log, env={**ENVIRONMENT, **self.environment}, start_new_session=True,
            )
        return self

    def kill(self, how=signal.SIGKILL):
        """Ends the process with a signal; returns its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(how)
        if how != signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"node {self.number} did not end within 60 s after signal {how}") from None

    def stop(self):
        return self.kill(signal.SIGTERM)

    def ended(self):
        """The exit code of a process that has ended by itself, else None."""
        return self.process.poll() if self.process is not None else None

    def admin(self, path, timeout=2):
        """Status and text of a page; (None, reason) while nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return None, str(error)
        finally:
            connection.close()

    def status(self, timeout=2):
        code, text = self.admin("/metadata/status", timeout)
        return json.loads(text) if code == 200 else None

    def is_ready(self):
        return self.admin("/health/ready")[0] == 200

    def client(self, timeout=15):
        return LightClient(self.s3_port, timeout=timeout)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Cluster:
    """`raft`, `storage` and `admin` are keys of these sections of the configuration; `data_directories` places those of some nodes."""

    def __init__(self, directory, count=3, proxied=False, raft=None, storage=None, replication=None, data_directories=None, seed=0, admin=None):
        self.directory = pathlib.Path(directory)
        self.raft, self.storage, self.replication = raft or {}, storage or {}, replication or {}
        self.admin = admin or {}
        ports = free_ports(4 * count)
        self.outer_ports = ports[3 * count :] if proxied else ports[2 * count : 3 * count]
        places = data_directories or {}
        self.nodes = [
            Node(
                self, number, places.get(number, self.directory / f"node-{number}" / "data"), ports[index], ports[count + index],
                ports[2 * count + index],
            )
            for index, number in enumerate(range(1, count + 1))
        ]
        self.proxy = None
        if proxied:
            self.proxy = Proxy([(node.number, self.outer_ports[node.number - 1], node.peer_port) for node in self.nodes], seed)
        for node in self.nodes:
            self.write_configuration(node)

    def node(self, number):
        return next(node for node in self.nodes if node.number == number)

    def newcomer(self, number):
        """One more node, not started: it waits to be added. It is among `nodes` from now on; those that run know nothing of it."""
        s3_port, admin_port, peer_port = free_ports(3, after=max(max(node.s3_port, node.admin_port, node.peer_port) for node in self.nodes))
        node = Node(self, number, self.directory / f"node-{number}" / "data", s3_port, admin_port, peer_port)
        self.nodes.append(node)
        self.outer_ports.append(peer_port)
        self.write_configuration(node, joins=True)
        return node

    def forget(self, node):
        """It was removed from the cluster, and what waits for all nodes waits for it no more. It is killed if it still runs."""
        place = self.nodes.index(node)
        node.kill()
        del self.nodes[place], self.outer_ports[place]

    def write_configuration(self, node, node_id=None, engine="replicated", joins=False):
        def section(indent, values):
            return "".join(f"{' ' * indent}{key}: {value}\n" for key, value in values.items())

        text = f'data_dir: "{node.data}"\ns3:\n  address: "127.0.0.1:{node.s3_port}"\nadmin:\n  address: "127.0.0.1:{node.admin_port}"\n'
        text += section(2, self.admin)
        if self.storage:
            text += "storage:\n" + section(2, self.storage)
        text += f"metadata:\n  engine_type: {engine}\n"
        if engine == "replicated":
            text += f"  replication:\n    node_id: {node_id or node.number}\n    listen_address: \"127.0.0.1:{node.peer_port}\"\n"
            text += section(4, self.replication)
            if joins:
                text += "    join: true\n"
            if self.raft:
                text += "    raft:\n" + section(6, self.raft)
            text += "    nodes:\n"
            for each, port in zip(self.nodes, self.outer_ports):
                text += f'      - id: {each.number}\n        address: "127.0.0.1:{port}"\n'
        node.configuration_path.write_text(text)

    def start(self, seconds=60):
        for node in self.nodes:
            node.start()
        self.wait_until_ready(seconds)
        return self

    def wait_until_ready(self, seconds=60, nodes=None):
        waiting = list(nodes or self.nodes)

        def all_ready():
            for node in waiting:
                code = node.ended()
                assert code is None, f"node {node.number} ended with {code}:\n{node.log()[-3000:]}"
            waiting[:] = [node for node in waiting if not node.is_ready()]
            return not waiting

        wait_until(
            all_ready, seconds, lambda: f"ready: {[(node.number, node.admin('/health/ready')) for node in waiting]}"
        )

    def leader(self):
        """The node that leads in the highest term that anybody knows of; None if none does."""
        known = [status for status in (node.status() for node in self.nodes if node.process) if status and status.get("leader_id")]
        return self.node(max(known, key=lambda status: status["term"])["leader_id"]) if known else None

    def wait_for_leader(self, seconds=30):
        return wait_until(self.leader, seconds, "a leader")

    def wait_until_equal(self, seconds=60, nodes=None):
        """Waits until the nodes have applied the same entries; asserts that the states are equal, and returns (index, digest)."""
        nodes = nodes or self.nodes

        def settled():
            found = [node.status() for node in nodes]
            if None in found or len({status["applied_index"] for status in found}) > 1:
                return None
            return found

        found = wait_until(settled, seconds, lambda: f"the same applied index: {[node.status() for node in nodes]}")
        digests = {node.number: status["digest"] for node, status in zip(nodes, found)}
        assert len(set(digests.values())) == 1, f"states differ at index {found[0]['applied_index']}: {digests}"
        return found[0]["applied_index"], found[0]["digest"]

    def close(self):
        """Kills what still runs. Data stays."""
        for node in self.nodes:
            node.kill()
        if self.proxy:
            self.proxy.stop()
            self.proxy = None
