"""A cluster is upgraded and downgraded node by node, under load, and nobody notices.

The two builds are one that says of itself that it knows the rules of one more version: RUSTFS_TEST_CLUSTER_VERSION.
"""

import http.client
import itertools
import threading
import time

import pytest

from support.cluster import Cluster, wait_until
from support.light import NotSent

BUCKET = "upgraded"
NEWER = {"RUSTFS_TEST_CLUSTER_VERSION": "2"}


@pytest.fixture
def cluster(workspace, request):
    instance = Cluster(workspace / request.node.name[:40]).start()
    assert instance.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
    yield instance
    instance.close()


class Load:
    """Clients that put and read without a pause. As every S3 client does they go to another node where a connection is refused or breaks
    off before an answer; whatever a node answers counts."""

    def __init__(self, cluster, clients=6):
        self.cluster, self.failures, self.written = cluster, [], {}
        self.count, self.stopping = itertools.count(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def run(self, client):
        for number in itertools.count():
            if self.stopping.is_set():
                return
            key, body = f"client-{client}/{number % 50}", f"{client} {number}".encode()
            if self.ask("PUT", key, body) is not None:
                self.written[key] = body
                found = self.ask("GET", key)
                if found is not None and found != body:
                    self.failures.append((key, found, body))
            next(self.count)
            self.stopping.wait(0.005)

    def ask(self, method, key, body=None):
        """The body of the answer; None where it failed."""
        node = self.cluster.nodes[next(self.count) % len(self.cluster.nodes)]
        for _ in range(2 * len(self.cluster.nodes)):
            try:
                answer = node.client(timeout=30).request(method, f"/{BUCKET}/{key}", **({} if body is None else {"body": body}))
            except (NotSent, ConnectionError, http.client.HTTPException):
                node = self.cluster.nodes[(self.cluster.nodes.index(node) + 1) % len(self.cluster.nodes)]
                continue
            except OSError as error:
                self.failures.append((method, key, repr(error)))
                return None
            if answer.status != 200:
                self.failures.append((method, key, answer.status, answer.body[:300]))
                return None
            return answer.body
        self.failures.append((method, key, "no node listens"))
        return None


def restart(node, environment):
    assert node.stop() == 0
    node.environment = environment
    node.start()
    wait_until(node.is_ready, 60, node.log)


def versions(cluster):
    return [(node.status()["version"], node.status()["supported_version"]) for node in cluster.nodes]


def test_a_cluster_is_upgraded_node_by_node_and_can_go_back_until_the_last(cluster):
    first, second, third = cluster.nodes
    assert versions(cluster) == [(1, 1)] * 3
    with Load(cluster) as load:
        restart(first, NEWER)
        restart(second, NEWER)
        assert versions(cluster) == [(1, 2), (1, 2), (1, 1)]
        # It is not what was hoped for: back.
        restart(first, {})
        assert versions(cluster) == [(1, 1), (1, 2), (1, 1)]
        restart(first, NEWER)
        before = len(load.written)
        time.sleep(1)
        assert {version for version, _ in versions(cluster)} == {1}, "an older build is a member yet"
        restart(third, NEWER)
        wait_until(lambda: versions(cluster) == [(2, 2)] * 3, 30, lambda: versions(cluster))
        wait_until(lambda: next(load.count) > before + 400, 60, "the load does not get on")
    assert load.failures == []
    for key, body in load.written.items():
        assert second.client().request("GET", f"/{BUCKET}/{key}").body == body
    cluster.wait_until_equal()
    # From now on the older build is refused, and says why.
    assert third.stop() == 0
    third.environment = {}
    third.start()
    wait_until(lambda: third.ended() is not None, 30, third.log)
    assert third.kill() not in (0, None)
    assert "rustfs-metadata: the cluster is at version 2, which this build does not know: start a build that does" in third.log()
    third.environment = NEWER
    third.start()
    wait_until(third.is_ready, 60, third.log)
    cluster.wait_until_equal()


def test_an_operator_holds_the_new_rules_back(cluster):
    held = cluster.nodes[1]
    held.configuration_path.write_text(
        held.configuration_path.read_text().replace("  replication:\n", "  replication:\n    cluster_version_max: 1\n", 1))
    for node in cluster.nodes:
        restart(node, NEWER)
    assert [supported for _, supported in versions(cluster)] == [2, 1, 2]
    time.sleep(2)
    assert {version for version, _ in versions(cluster)} == {1}
    held.configuration_path.write_text(held.configuration_path.read_text().replace("    cluster_version_max: 1\n", "", 1))
    restart(held, NEWER)
    wait_until(lambda: versions(cluster) == [(2, 2)] * 3, 30, lambda: versions(cluster))
