"""Buckets that are named by the host, and by the path."""

import socket

import boto3
import botocore.client
import pytest
import requests

from support.clients import REGION, encode_path, error_of, head_bytes, make_client, raw, signed_headers
from support.server import USERS, Server, write_configuration

DOMAIN = "s3.test.example"


@pytest.fixture(scope="module")
def hosts(workspace):
    """A server for two domains, one from the file and one that would be resolved."""
    path = write_configuration(workspace / "hosts.yaml", extra=f"  domains:\n    - {DOMAIN}\n    - localhost\n")
    instance = Server(workspace / "hosts", configuration=path)
    instance.start()
    yield instance
    instance.stop()
    assert instance.return_code == 0, instance.log_tail()


@pytest.fixture
def resolved(monkeypatch):
    """Every name below `localhost` and the domain is this machine, whatever the resolver says."""
    resolve = socket.getaddrinfo

    def answer(host, *arguments, **options):
        name = host.decode() if isinstance(host, bytes) else host
        is_ours = isinstance(name, str) and name.endswith(("localhost", DOMAIN))
        return resolve("127.0.0.1" if is_ours else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def virtual_client(server, domain=DOMAIN):
    access_key, secret_key = USERS["root"]
    return boto3.client(
        "s3", endpoint_url=f"http://{domain}:{server.address[1]}", region_name=REGION, aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=botocore.client.Config(
            signature_version="s3v4", retries={"max_attempts": 0}, s3={"addressing_style": "virtual"}),
    )


@pytest.mark.parametrize("domain", [DOMAIN, "localhost"])
def test_boto3_by_host(hosts, resolved, domain):
    s3 = virtual_client(hosts, domain)
    seen = []
    s3.meta.events.register("before-send.s3", lambda request, **_: seen.append(request.url))
    name = "by-host-" + domain.split(".")[0]
    s3.create_bucket(Bucket=name)
    bodies = {"k": b"small", "a/b c/ü+%": b"large" * 100_000, "/leading//": b"", name + "/k": b"the bucket's name again"}
    for key, body in bodies.items():
        s3.put_object(Bucket=name, Key=key, Body=body)
    for _ in range(2):
        for key, body in bodies.items():
            assert s3.get_object(Bucket=name, Key=key)["Body"].read() == body
            assert s3.head_object(Bucket=name, Key=key)["ContentLength"] == len(body)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]] == sorted(bodies)
    assert all(f"//{name}.{domain}:" in url for url in seen), seen
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    # The same objects by their path.
    by_path = make_client(hosts)
    for key, body in bodies.items():
        assert by_path.get_object(Bucket=name, Key=key)["Body"].read() == body
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "k"})
    upload = s3.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    done = s3.complete_multipart_upload(
        Bucket=name, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    assert done["Location"] == f"http://{name}.{domain}:{hosts.address[1]}/parts"
    assert error_of(lambda: s3.get_object(Bucket=name, Key="absent"))[:2] == (404, "NoSuchKey")
    everything = [{"Key": key} for key in [*bodies, "copy", "parts"]]
    assert "Errors" not in s3.delete_objects(Bucket=name, Delete={"Objects": everything})
    s3.delete_bucket(Bucket=name)
    assert error_of(lambda: s3.list_objects_v2(Bucket=name))[:2] == (404, "NoSuchBucket")


def test_presigned_by_host(hosts, resolved):
    s3 = virtual_client(hosts)
    s3.create_bucket(Bucket="presigned-host")
    put = s3.generate_presigned_url("put_object", {"Bucket": "presigned-host", "Key": "a b"})
    assert f"//presigned-host.{DOMAIN}:" in put
    assert requests.put(put, data=b"body", timeout=60).status_code == 200
    get = s3.generate_presigned_url("get_object", {"Bucket": "presigned-host", "Key": "a b"})
    assert requests.get(get, timeout=60).content == b"body"
    # Signed for that host: the same path on another one is another request.
    other = get.replace("//presigned-host.", "//other-bucket.")
    assert requests.get(other, timeout=60).status_code == 403


def by_host(server, method, host, target, body=b"", headers=None):
    port = server.address[1]
    return raw(server, method, target, {"Host": f"{host}:{port}", **(headers or {})}, body)


def test_names_with_dots_and_letter_case(hosts):
    assert by_host(hosts, "PUT", f"with.dots.in-it.{DOMAIN}", "/").status == 200
    assert by_host(hosts, "PUT", f"With.Dots.in-IT.{DOMAIN.upper()}", "/k", b"body").status == 200
    for _ in range(2):
        assert by_host(hosts, "GET", f"with.dots.in-it.{DOMAIN}.", "/k").body == b"body"
        assert raw(hosts, "GET", "/with.dots.in-it/k").body == b"body"
        assert by_host(hosts, "GET", DOMAIN, "/with.dots.in-it/k").body == b"body"
        assert by_host(hosts, "GET", "elsewhere.example", "/with.dots.in-it/k").body == b"body"
    for host in (f"not_a_bucket.{DOMAIN}", f"a.{DOMAIN}"):
        assert by_host(hosts, "PUT", host, "/k", b"x").code == "InvalidBucketName"
    assert by_host(hosts, "GET", f"no-such-bucket.{DOMAIN}", "/").code == "NoSuchBucket"
    assert b"<Name>with.dots.in-it</Name>" in by_host(hosts, "GET", DOMAIN, "/").body


def test_a_target_in_absolute_form(hosts):
    """What is signed is the header: a target that says otherwise is refused."""
    port = hosts.address[1]
    assert by_host(hosts, "PUT", f"absolute.{DOMAIN}", "/").status == 200
    for authority, status in ((f"absolute.{DOMAIN}:{port}", b"404"), (f"other.{DOMAIN}:{port}", b"400")):
        headers = signed_headers(hosts, "GET", "/k", {"Host": f"absolute.{DOMAIN}:{port}"})
        with socket.create_connection(hosts.address, timeout=60) as connection:
            connection.sendall(head_bytes("GET", f"http://{authority}/k", {**headers, "Connection": "close"}))
            assert connection.recv(65536).split()[1] == status


def test_without_domains_every_host_is_path_style(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    assert by_host(server, "GET", f"other.{DOMAIN}", encode_path(bucket, "k")).body == b"body"


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_domains_from_outside(own_server, how):
    if how == "flag":
        own_server.arguments = ["--s3-domain", "one.example", "--s3-domain", "two.example"]
    else:
        own_server.environment = {"RUSTFS_S3_DOMAINS": "one.example, Two.example"}
    own_server.start()
    assert by_host(own_server, "PUT", "bucket.one.example", "/").status == 200
    assert by_host(own_server, "PUT", "bucket.two.example", "/k", b"body").status == 200
    assert raw(own_server, "GET", "/bucket/k").body == b"body"
