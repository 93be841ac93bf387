"""What Prometheus is told is what it takes; a real one scrapes a real cluster, and calls for help when the quorum dies."""

import json
import re
import subprocess
import time
import urllib.request

import pytest

from support.cluster import ROOT, Cluster, free_ports, wait_until

RULES = ROOT / "ops" / "prometheus" / "rules.yaml"
BUCKET = "watched"


@pytest.fixture(scope="module")
def cluster(workspace):
    instance = Cluster(workspace / "monitored").start()
    client = instance.nodes[0].client()
    assert client.request("PUT", f"/{BUCKET}").status == 200
    yield instance
    instance.close()


@pytest.fixture
def prometheus(workspace, cluster):
    """Scrapes each second, with the rules that are shipped."""
    directory = workspace / "prometheus"
    directory.mkdir()
    port = free_ports(1)[0]
    targets = ", ".join(f'"127.0.0.1:{node.admin_port}"' for node in cluster.nodes)
    (directory / "prometheus.yaml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{RULES}']\n"
        "scrape_configs:\n"
        f"  - {{job_name: rustfs-metadata, static_configs: [{{targets: [{targets}]}}]}}\n")
    log = open(directory / "log", "wb")
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={directory}/prometheus.yaml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    instance = Prometheus(port)
    try:
        wait_until(instance.is_ready, 30, lambda: (directory / "log").read_text()[-2000:])
        yield instance
    finally:
        process.terminate()
        process.wait(30)
        log.close()


class Prometheus:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def ask(self, path):
        try:
            with urllib.request.urlopen(self.base + path, timeout=5) as response:
                return response.read()
        except OSError:
            return None

    def is_ready(self):
        return self.ask("/-/ready") is not None

    def values(self, query):
        answer = self.ask("/api/v1/query?query=" + urllib.request.quote(query))
        return [float(sample["value"][1]) for sample in json.loads(answer)["data"]["result"]] if answer else []

    def firing(self):
        answer = self.ask("/api/v1/alerts")
        alerts = json.loads(answer)["data"]["alerts"] if answer else []
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def page(node, accept="text/plain"):
    request = urllib.request.Request(f"http://127.0.0.1:{node.admin_port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


def value(text, series):
    found = re.search("^" + re.escape(series) + r" (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def use(cluster):
    """Some of everything, on each node."""
    for node in cluster.nodes:
        client = node.client()
        assert client.request("PUT", f"/{BUCKET}/small", body=b"x").status == 200
        assert client.request("PUT", f"/{BUCKET}/large", body=b"x" * 300_000).status == 200
        assert client.request("GET", f"/{BUCKET}/small").status == 200
        assert client.request("HEAD", f"/{BUCKET}/small").status == 200
        assert client.request("GET", f"/{BUCKET}/absent").status == 404
        assert client.request("GET", f"/{BUCKET}", query="list-type=2").status == 200
        assert client.request("PUT", "/x").status == 400


def test_the_rules_are_what_promtool_takes_and_do_what_they_say():
    for command in (["check", "rules", RULES], ["test", "rules", RULES.with_suffix(".test.yaml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_of_a_rule_is_on_the_page(cluster):
    use(cluster)
    text = "".join(page(node) for node in cluster.nodes)
    names = set(re.findall(r"(rustfs_metadata_\w+)\{", RULES.read_text()))
    assert len(names) >= 7
    for name in names:
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE), name


def test_promtool_has_nothing_to_say_against_the_page(cluster):
    use(cluster)
    for node in cluster.nodes:
        done = subprocess.run(["promtool", "check", "metrics"], input=page(node), capture_output=True, text=True)
        assert done.returncode == 0 and not done.stdout.strip() and not done.stderr.strip(), done.stdout + done.stderr


def test_every_metric_has_help_and_type_in_both_formats(cluster):
    use(cluster)
    for accept in ("text/plain", "application/openmetrics-text;version=1.0.0"):
        text = page(cluster.nodes[0], accept)
        helped, typed = set(re.findall(r"^# HELP (\S+) .", text, re.MULTILINE)), dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        for name in set(re.findall(r"^([a-z]\w*)", text, re.MULTILINE)):
            family = re.sub("_(bucket|sum|count)$", "", name) if re.sub("_(bucket|sum|count)$", "", name) in typed else name
            family = family if family in typed else re.sub("_total$", "", family)
            assert family in typed and family in helped, (accept, name)


def test_requests_are_counted_by_operation_and_outcome(cluster):
    node = cluster.nodes[1]
    before, _ = page(node), use(cluster)
    after = page(node)
    series = "rustfs_metadata_s3_requests_total"
    for labels, count in (
        ('code="200",operation="PutObject"', 2), ('code="200",operation="GetObject"', 1), ('code="200",operation="HeadObject"', 1),
        ('code="404",error="NoSuchKey",operation="GetObject"', 1), ('code="200",operation="ListObjectsV2"', 1),
        ('code="400",error="InvalidBucketName",operation="CreateBucket"', 1),
    ):
        name = f"{series}{{{labels}}}"
        assert value(after, name) - (value(before, name) or 0) == count, name
    for operation, count in (("PutObject", 2), ("GetObject", 2), ("HeadObject", 1)):
        name = f'rustfs_metadata_s3_request_duration_seconds_count{{operation="{operation}"}}'
        assert value(after, name) - (value(before, name) or 0) == count, name


def test_what_clients_send_does_not_make_series_without_end(cluster):
    node = cluster.nodes[2]
    for number in range(30):
        node.client().request("GET", f"/{BUCKET}", query=f"acl=&x={number}")
        node.client().request("GET", f"/bucket-{number}/key")
        node.client().request("DELETE", f"/{BUCKET}/k", query=f"retention=&n={number}")
    series = re.findall(r"^rustfs_metadata_s3_requests_total\{.*", page(node), re.MULTILINE)
    assert len(series) < 40, series


def test_a_real_prometheus_scrapes_and_calls_when_the_quorum_dies(cluster, prometheus):
    use(cluster)
    wait_until(lambda: prometheus.values("sum(up)") == [3.0], 30, lambda: prometheus.values("up"))
    wait_until(lambda: prometheus.values("rustfs_metadata_has_leader") == [1.0] * 3, 30, "no leader is known")
    assert prometheus.values("sum(rustfs_metadata_raft_is_leader)") == [1.0]
    wait_until(
        lambda: prometheus.values("count(rustfs_metadata_write_latency_seconds_bucket) > 0"), 30, "no histogram of writes")
    assert prometheus.values("max(rustfs_metadata_replication_lag_entries)")
    assert prometheus.firing() == set()
    leader = cluster.wait_for_leader()
    killed = [leader, next(node for node in cluster.nodes if node is not leader)]
    for node in killed:
        node.kill()
    began = time.monotonic()
    wait_until(lambda: {"MetadataNoLeader", "MetadataNodeDown"} <= prometheus.firing(), 90, prometheus.firing)
    assert time.monotonic() - began > 20, "an alert of half a minute came at once"
    for node in killed:
        node.start()
    wait_until(lambda: prometheus.firing() == set(), 60, prometheus.firing)
