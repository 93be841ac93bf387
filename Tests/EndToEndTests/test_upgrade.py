"""A cluster is upgraded and downgraded node by node, under load, and nobody notices.

The two builds are one that says of itself that it does not know the rules of the newest version: RUSTFS_TEST_CLUSTER_VERSION.
"""

import time

import pytest

from support.admin import rustfs_admin
from support.backups import create
from support.cluster import Cluster, wait_until
from support.load import Load

BUCKET = "upgraded"
OLDER, NEWER = {"RUSTFS_TEST_CLUSTER_VERSION": "1"}, {}


@pytest.fixture
def cluster(workspace, request):
    instance = Cluster(workspace / request.node.name[:40])
    for node in instance.nodes:
        node.environment = OLDER
    instance.start()
    assert instance.nodes[0].client().request("PUT", f"/{BUCKET}").status == 200
    yield instance
    instance.close()


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
    with Load(cluster.nodes, BUCKET, clients=6, moves=True) as load:
        restart(first, NEWER)
        restart(second, NEWER)
        assert versions(cluster) == [(1, 2), (1, 2), (1, 1)]
        # It is not what was hoped for: back.
        restart(first, OLDER)
        assert versions(cluster) == [(1, 1), (1, 2), (1, 1)]
        restart(first, NEWER)
        time.sleep(1)
        assert {version for version, _ in versions(cluster)} == {1}, "an older build is a member yet"
        # What only the newer rules know is refused by the newer builds, before the older one hears of it.
        path = cluster.directory / "one.snap"
        create(first, path)
        refusal = rustfs_admin("metadata", "snapshot", "restore", "--path", path, "--yes", "--output", "json", node=first)
        assert refusal.code == 1 and refusal.document["code"] == "ClusterVersion" and "version 1" in refusal.document["message"]
        restart(third, NEWER)
        wait_until(lambda: versions(cluster) == [(2, 2)] * 3, 30, lambda: versions(cluster))
        load.wait_for(400)
    assert load.failures == []
    done = rustfs_admin("metadata", "snapshot", "create", "--with-data", "--path", cluster.directory / "two.snap", node=second)
    assert done.code == 0, done
    done = rustfs_admin("metadata", "snapshot", "restore", "--path", cluster.directory / "two.snap", "--yes", node=second)
    assert done.code == 0, done
    for path, body in load.written.items():
        assert second.client().request("GET", path).body == body
    cluster.wait_until_equal()
    # From now on the older build is refused, and says why.
    assert third.stop() == 0
    third.environment = OLDER
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
