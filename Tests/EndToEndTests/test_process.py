"""The process: start, stop, lock, configuration, TLS, admin address."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from support.clients import error_of, make_client
from support.disk import SmallDisk
from support.server import BINARY, Server, write_configuration


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly(own_server, how):
    own_server.start()
    make_client(own_server).create_bucket(Bucket="abc")
    assert own_server.stop(how=how) == 0
    own_server.start()
    assert [bucket["Name"] for bucket in make_client(own_server).list_buckets()["Buckets"]] == ["abc"]


def test_a_request_under_way_is_finished(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket="abc")
    body = os.urandom(40_000_000)
    client.put_object(Bucket="abc", Key="k", Body=body)
    stream = client.get_object(Bucket="abc", Key="k")["Body"]
    first = stream.read(10)
    results = []
    stopper = threading.Thread(target=lambda: results.append(own_server.stop()))
    stopper.start()
    assert first + stream.read() == body
    stopper.join(60)
    assert results == [0]


def test_a_second_server_on_the_same_data_is_refused(own_server):
    own_server.start()
    second = Server(own_server.data, own_server.configuration)
    with pytest.raises(RuntimeError) as refusal:
        second.start()
    assert second.return_code not in (0, None)
    text = str(refusal.value)
    assert str(own_server.process.pid) in text and str(own_server.data) in text and "lock" in text.lower()
    make_client(own_server).list_buckets()
    own_server.restart()


def test_a_port_in_use(own_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        own_server.arguments = ["--s3-address", f"127.0.0.1:{taken.getsockname()[1]}"]
        command = [word for word in own_server.command()]
        index = command.index("--s3-address")
        del command[index : index + 2]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and str(taken) is not None
    assert "in use" in (result.stdout + result.stderr).lower()


def test_default_credentials_are_warned_about(own_server):
    own_server.start()
    assert any("credential" in line.lower() for _, line in own_server.lines)
    own_server.stop()
    own_server.lines.clear()
    own_server.environment = {"RUSTFS_ACCESS_KEY": "someone", "RUSTFS_SECRET_KEY": "a-secret-of-mine"}
    own_server.start()
    assert not any("default" in line.lower() and "credential" in line.lower() for _, line in own_server.lines)
    assert not any("a-secret-of-mine" in line for _, line in own_server.lines)
    with pytest.raises(Exception):
        make_client(own_server).list_buckets()


@pytest.mark.parametrize(
    "text,words",
    [
        ("metadata:\n  engine_typo: local\n", ["engine_typo", "2"]),
        ("metadata:\n  engine_type: remote\n", ["engine_type", "2"]),
        ("metadata: [1, 2]\n", ["metadata", "1"]),
        ("s3:\n  address: 'localhost:99999'\n", ["address", "2"]),
        ("metadata:\n\tengine_type: local\n", ["2"]),
        ("metadata:\n  engine_type: replicated\n", ["replic"]),
    ],
)
def test_wrong_configurations_are_refused_before_anything_starts(tmp_path, text, words):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    result = subprocess.run(
        [str(BINARY), "--config", str(path), "--data", str(tmp_path / "data")], capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    for word in [str(path), *words]:
        assert word in result.stderr, result.stderr
    assert not (tmp_path / "data").exists()


def test_admin_address(own_server):
    own_server.start()
    assert own_server.admin("/health/live")[0] == 200
    assert own_server.admin("/health/ready")[0] == 200
    client = make_client(own_server)
    client.create_bucket(Bucket="abc")
    client.put_object(Bucket="abc", Key="k", Body=b"12345")
    status, text = own_server.admin("/metrics")
    assert status == 200
    assert 'rustfs_metadata_bucket_objects{bucket="abc"} 1' in text
    assert 'rustfs_metadata_bucket_bytes{bucket="abc"} 5' in text
    for name in ("rustfs_metadata_write_latency_seconds_bucket", "process_resident_memory_bytes"):
        assert name in text, name
    with pytest.raises(urllib.error.HTTPError) as missing:
        own_server.admin("/no-such-page")
    assert missing.value.code == 404
    json.loads(missing.value.read())


def test_tls(own_server, workspace, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )
    own_server.configuration = write_configuration(
        workspace / "tls.yaml",
        f"tls:\n  certificate_file: {tmp_path / 'cert.pem'}\n  private_key_file: {tmp_path / 'key.pem'}\n",
    )
    own_server.start()
    assert own_server.s3_url.startswith("https://")
    import boto3

    client = boto3.client(
        "s3", endpoint_url=own_server.s3_url, verify=str(tmp_path / "cert.pem"), aws_access_key_id="rustfsadmin",
        aws_secret_access_key="rustfsadmin", region_name="us-east-1",
    )
    client.create_bucket(Bucket="over-tls")
    body = os.urandom(2_000_000)
    client.put_object(Bucket="over-tls", Key="k", Body=body)
    assert client.get_object(Bucket="over-tls", Key="k")["Body"].read() == body
    with pytest.raises(urllib.error.URLError) as refused:
        urllib.request.urlopen(own_server.s3_url, context=ssl.create_default_context())
    assert "certificate" in str(refused.value).lower()


def test_a_damaged_store_is_refused_by_name(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket="abc")
    client.put_object(Bucket="abc", Key="k", Body=b"x")
    own_server.stop()
    manifests = sorted((own_server.data / "metadata" / "kv").glob("MANIFEST-*"))
    data = bytearray(manifests[-1].read_bytes())
    data[len(data) // 2] ^= 0xFF
    manifests[-1].write_bytes(data)
    with pytest.raises(RuntimeError) as refusal:
        own_server.start()
    assert own_server.return_code not in (0, None, -6, -11, -4, -5), own_server.log_tail()
    assert "MANIFEST" in str(refusal.value) or "orruption" in str(refusal.value)
    own_server.process = None


def test_a_full_disk_refuses_writes_and_serves_reads(own_server, workspace):
    """The reserve is set above what the disk has free, which is what a full disk looks like to the engine."""
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket="abc")
    client.put_object(Bucket="abc", Key="k", Body=b"kept")
    own_server.stop()
    free = shutil.disk_usage(own_server.data).free
    normal = own_server.configuration
    own_server.configuration = write_configuration(workspace / "full.yaml", f"storage:\n  reserved_bytes: {2 * free}\n")
    own_server.start()
    client = make_client(own_server)
    for body in (b"x", b"x" * 1_000_000):
        assert error_of(lambda: client.put_object(Bucket="abc", Key="new", Body=body))[:2] == (507, "StorageFull")
    assert client.get_object(Bucket="abc", Key="k")["Body"].read() == b"kept"
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket="abc")["Contents"]] == ["k"]
    assert not own_server.body_files()
    client.delete_object(Bucket="abc", Key="k")
    own_server.stop()
    own_server.configuration = normal
    own_server.start()
    client = make_client(own_server)
    assert client.list_objects_v2(Bucket="abc")["KeyCount"] == 0
    client.put_object(Bucket="abc", Key="new", Body=b"x" * 1_000_000)


@pytest.fixture
def small_disk(tmp_path):
    try:
        disk = SmallDisk(tmp_path / "disk", size="64m")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system of its own cannot be mounted: {error}")
    yield disk
    disk.close()


def test_a_disk_without_room_lets_the_server_start_or_say_why_not(small_disk):
    """RocksDB's own log ended the process by an assertion when the disk had no room for its second line (chaos, seed 31)."""
    configuration = write_configuration(small_disk.path / "small.yaml", "storage:\n  reserved_bytes: 0\n")
    server = Server(small_disk.path / "data", configuration=configuration)
    try:
        server.start()
        client = make_client(server)
        client.create_bucket(Bucket="abc")
        client.put_object(Bucket="abc", Key="k", Body=b"kept")
        # Of a crash, so that opening has something to write.
        server.kill()
        started = []
        for free_bytes in (0, 4096, 8192, 16384, 32768, 65536, 131072, 1 << 20, 8 << 20):
            small_disk.fill(free_bytes)
            server.lines.clear()
            try:
                server.start()
            except RuntimeError:
                server.process = None
                assert server.return_code > 0, f"{free_bytes} bytes free: {server.log_tail()}"
                assert "No space left" in server.log_tail()
            else:
                started.append(free_bytes)
                assert make_client(server).get_object(Bucket="abc", Key="k")["Body"].read() == b"kept"
                server.stop()
                assert server.return_code >= 0, f"{free_bytes} bytes free: {server.log_tail()}"
            small_disk.clear()
        assert 8 << 20 in started
        server.start()
        client = make_client(server)
        client.put_object(Bucket="abc", Key="new", Body=b"x" * 1_000_000)
        assert client.get_object(Bucket="abc", Key="k")["Body"].read() == b"kept"
        assert not list((server.data / "metadata" / "kv").glob("LOG*"))
    finally:
        server.kill()
