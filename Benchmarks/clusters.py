"""Starts, watches, kills and restarts clusters of this server and of etcd, all members on this machine."""

import contextlib
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from figures import BINARIES, processor_seconds, resident_bytes
from proxy import Proxy


def free_ports(count):
    """Ports of loopback that nobody uses at the moment."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            ports.append(listener.getsockname()[1])
        return ports


def wait_until(condition, seconds, what):
    """Waits until `condition()` is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Processes:
    """Members 0, 1, …, each a process over a directory of its own."""

    def __init__(self, directory, count):
        self.directory = pathlib.Path(directory)
        self.count = count
        self.processes = [None] * count

    def command(self, member):
        raise NotImplementedError

    def is_ready(self, member):
        raise NotImplementedError

    def begin(self, member):
        path = self.directory / f"{member}.log"
        with open(path, "ab") as log:
            self.processes[member] = subprocess.Popen(
                self.command(member), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_ready(self, member, seconds=120):
        wait_until(lambda: self.is_ready(member), seconds, f"member {member} of {self.directory} is ready")

    def start(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        for member in range(self.count):
            self.begin(member)
        for member in range(self.count):
            self.wait_ready(member)
        return self

    def send(self, member, number):
        self.processes[member].send_signal(number)

    def end(self, member, number=signal.SIGTERM):
        """Ends a member and waits until it has."""
        self.send(member, number)
        try:
            self.processes[member].wait(60)
        except subprocess.TimeoutExpired:
            self.processes[member].kill()
            self.processes[member].wait()
            raise RuntimeError(f"member {member} of {self.directory} did not stop") from None
        finally:
            self.processes[member] = None

    def close(self):
        for process in self.processes:
            if process is not None:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    @property
    def pids(self):
        return [process.pid for process in self.processes if process is not None]

    def processor_seconds(self):
        return [processor_seconds(pid) for pid in self.pids]

    def resident_bytes(self):
        return [resident_bytes(pid) for pid in self.pids]


class Cluster(Processes):
    """Nodes of this server; `replication` and `raft` are keys of the configuration."""

    def __init__(self, directory, count=3, engine="replicated", raft=None, **replication):
        super().__init__(directory, count)
        self.engine = engine
        self.replication = replication
        self.raft = raft or {}
        ports = free_ports(3 * count)
        self.s3_ports, self.admin_ports, self.peer_ports = ports[:count], ports[count : 2 * count], ports[2 * count :]
        # Where nodes find one another.
        self.advertised_ports = self.peer_ports

    def command(self, member):
        path = self.directory / f"{member}.yaml"
        lines = [
            f'data_dir: "{self.directory / str(member)}"', "log:", "  level: warning", "s3:",
            f'  address: "127.0.0.1:{self.s3_ports[member]}"', "admin:",
            f'  address: "127.0.0.1:{self.admin_ports[member]}"', "metadata:", f"  engine_type: {self.engine}",
        ]
        if self.engine == "replicated":
            lines += self.replication_lines(member)
        path.write_text("\n".join(lines) + "\n")
        return [str(BINARIES / "rustfs-metadata"), "--config", str(path)]

    def replication_lines(self, member):
        yield from ("  replication:", f"    node_id: {member + 1}")
        yield from (f"    {key}: {value}" for key, value in self.replication.items())
        yield from (["    raft:"] if self.raft else [])
        yield from (f"      {key}: {value}" for key, value in self.raft.items())
        yield "    nodes:"
        for other, port in enumerate(self.advertised_ports):
            yield from (f"      - id: {other + 1}", f'        address: "127.0.0.1:{port}"')

    def admin(self, member, path):
        """Status and body of the answer; `None` where none came."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_ports[member]}{path}", timeout=5) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return None, b""

    def is_ready(self, member):
        if self.processes[member].poll() is not None:
            log = (self.directory / f"{member}.log").read_text(errors="replace")
            raise RuntimeError(f"member {member} has ended:\n{log[-2000:]}")
        return self.admin(member, "/health/ready")[0] == 200

    def status(self, member):
        return json.loads(self.admin(member, "/metadata/status")[1])

    def leader(self):
        """The member that leads, as all running ones see it."""
        running = [member for member, process in enumerate(self.processes) if process is not None]
        found = None

        def agree():
            nonlocal found
            leaders = {self.status(member).get("leader_id") for member in running}
            found = leaders.pop() if len(leaders) == 1 else None
            return found is not None

        wait_until(agree, 30, "the nodes agree who leads")
        return found - 1


class ProxiedCluster(Cluster):
    """A cluster whose nodes talk to one another through a proxy, which can take one of them off the network."""

    def __init__(self, directory, count=3, **options):
        super().__init__(directory, count, **options)
        self.advertised_ports = free_ports(count)
        self.proxy = None

    def replication_lines(self, member):
        yield from super().replication_lines(member)
        yield f'    listen_address: "127.0.0.1:{self.peer_ports[member]}"'

    def start(self):
        routes = zip(range(1, self.count + 1), self.advertised_ports, self.peer_ports)
        self.proxy = Proxy(list(routes))
        return super().start()

    def close(self):
        super().close()
        if self.proxy is not None:
            self.proxy.stop()

    def cut_off(self, member):
        """Nothing passes between the member and the others, and nobody is told."""
        others = [other + 1 for other in range(self.count) if other != member]
        links = [link for other in others for link in ((member + 1, other), (other, member + 1))]
        self.proxy.apply([{"from": sender, "to": receiver, "hold": True} for sender, receiver in links])

    def heal(self):
        self.proxy.apply()


class EtcdCluster(Processes):
    """Members of etcd, as Debian's etcd-server has it, with its defaults."""

    def __init__(self, directory, count=3):
        super().__init__(directory, count)
        ports = free_ports(2 * count)
        self.ports, self.peer_ports = ports[:count], ports[count:]

    @property
    def endpoints(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def command(self, member):
        client, peer = (f"http://127.0.0.1:{ports[member]}" for ports in (self.ports, self.peer_ports))
        initial = ",".join(f"m{other}=http://127.0.0.1:{port}" for other, port in enumerate(self.peer_ports))
        return [
            "etcd", "--name", f"m{member}", "--data-dir", str(self.directory / str(member)), "--log-level", "error",
            "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", initial, "--initial-cluster-state", "new",
            "--quota-backend-bytes", str(8 << 30),
        ]

    def is_ready(self, member):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[member]}/health", timeout=5) as reply:
                return json.loads(reply.read()).get("health") == "true"
        except OSError:
            return False
