"""What broken, hostile and slow clients get: the right error or a closed connection, nothing stored, nobody disturbed."""

import base64
import hashlib
import os
import socket
import threading
import time

import pytest

from support.clients import connect, error_of, head_bytes, make_client, raw, signed_headers
from support.server import wait_for, write_configuration


def nothing_stored(s3, bucket):
    return s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def read_all(connection, timeout=60):
    connection.settimeout(timeout)
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (ConnectionResetError, BrokenPipeError):
        pass
    return received


def test_wrong_content_md5(server, s3, bucket):
    for value, code in ((base64.b64encode(hashlib.md5(b"other").digest()).decode(), "BadDigest"), ("garbage", "InvalidDigest")):
        for body in (b"x", b"x" * 500_000):
            reply = raw(server, "PUT", f"/{bucket}/k", {"Content-MD5": value}, body)
            assert (reply.status, reply.code) == (400, code)
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_a_body_that_breaks_off(own_server, size):
    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="broken")
    headers = signed_headers(own_server, "PUT", "/broken/k", {"Content-Length": str(size)}, payload_hash="UNSIGNED-PAYLOAD")
    connection = connect(own_server)
    connection.sendall(head_bytes("PUT", "/broken/k", headers) + b"x" * (size - 1))
    time.sleep(0.05)
    connection.close()
    s3.put_object(Bucket="broken", Key="other", Body=b"y")
    wait_for(lambda: not own_server.body_files(), what="the half body is gone")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="broken")["Contents"]] == ["other"]


def test_decoded_length_must_hold(server, s3, bucket):
    for declared in (4, 6):
        reply = raw(
            server, "PUT", f"/{bucket}/k", {"X-Amz-Decoded-Content-Length": str(declared), "Content-Encoding": "aws-chunked"},
            b"5\r\nhello\r\n0\r\n\r\n", payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        )
        assert reply.status == 400 and reply.code, reply
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize(
    "framed",
    [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\nhello\n0\n\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5" * 100 + b"\r\n",
     b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n", b"", b"\x00" * 64, b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"],
    ids=range(10),
)
def test_chunks_that_are_none(server, s3, bucket, framed):
    reply = raw(
        server, "PUT", f"/{bucket}/k", {"X-Amz-Decoded-Content-Length": "5", "Content-Encoding": "aws-chunked"}, framed,
        payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )
    assert 400 <= reply.status < 500 and reply.code, reply
    assert nothing_stored(s3, bucket)


MALFORMED = [
    b"", b"<", b"<Delete>", b"<Delete></Wrong>", b"not xml at all", b"\xff\xfe\x00", b"<Delete><Object><Key>k</Key></Object>",
    b"<Delete>" + b"<a>" * 100_000, b"<?xml version='1.0'?><Other/>",
    b"<!DOCTYPE d [<!ENTITY e 'x'>]><Delete><Object><Key>&e;</Key></Object></Delete>",
    b"<!DOCTYPE d SYSTEM 'file:///etc/passwd'><Delete><Object><Key>k</Key></Object></Delete>",
    b"<!DOCTYPE lolz [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>"
    b"<Delete><Object><Key>&c;</Key></Object></Delete>",
    b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_xml(server, s3, bucket, body):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    digest = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    reply = raw(server, "POST", f"/{bucket}?delete", digest, body)
    assert reply.status == 400 and reply.code in ("MalformedXML", "MissingRequestBodyError"), reply
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    reply = raw(server, "POST", f"/{bucket}/u?uploadId={upload}", body=body)
    assert reply.status == 400 and reply.code in ("MalformedXML", "MissingRequestBodyError"), reply
    if body:
        reply = raw(server, "PUT", f"/{bucket}?versioning", body=body)
        assert reply.status == 400 and reply.code in ("MalformedXML", "IllegalVersioningConfigurationException"), reply
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_missing_length(server, bucket):
    headers = signed_headers(server, "PUT", f"/{bucket}/k", payload_hash="UNSIGNED-PAYLOAD")
    connection = connect(server)
    connection.sendall(head_bytes("PUT", f"/{bucket}/k", headers))
    connection.shutdown(socket.SHUT_WR)
    reply = read_all(connection)
    assert b" 411 " in reply.split(b"\r\n")[0] and b"MissingContentLength" in reply


@pytest.mark.parametrize(
    "sent",
    [b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET /\r\n\r\n", b"\x00" * 1000,
     b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
     b"PUT /a/b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     b"PUT /a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"PUT /a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
     b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
     b"GET " + b"/x" * 100_000 + b" HTTP/1.1\r\n\r\n"],
    ids=range(13),
)
def test_what_is_not_http(server, s3, bucket, sent):
    connection = connect(server)
    try:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    reply = read_all(connection)
    assert reply == b"" or 400 <= int(reply.split(b" ")[1]) < 600, reply[:200]
    s3.put_object(Bucket=bucket, Key="k", Body=b"others are not disturbed")


def test_a_hundred_thousand_headers(server, s3, bucket):
    before = server.resident_bytes()
    for _ in range(3):
        connection = connect(server)
        try:
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(100_000)) + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply = read_all(connection)
        assert reply == b"" or reply.split(b" ")[1] in (b"400", b"431"), reply[:100]
    assert server.resident_bytes() - before < 64 * 1024 * 1024
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_one_header_without_an_end(server):
    before = server.resident_bytes()
    connection = connect(server)
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        for _ in range(2000):
            connection.sendall(b"y" * 16384)
    except (BrokenPipeError, ConnectionResetError):
        pass
    reply = read_all(connection)
    assert reply == b"" or reply.split(b" ")[1] in (b"400", b"431"), reply[:100]
    assert server.resident_bytes() - before < 64 * 1024 * 1024


def test_slow_clients_are_closed_and_disturb_nobody(workspace, own_server):
    own_server.configuration = write_configuration(
        workspace / "slow.yaml", "  limits:\n    head_timeout_seconds: 2\n    idle_timeout_seconds: 2\n"
    )
    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="slow")
    ended = []

    def drip(text):
        connection = connect(own_server)
        started = time.monotonic()
        try:
            for byte in text * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.25)
                if time.monotonic() - started > 45:
                    return
        except OSError:
            ended.append(time.monotonic() - started)

    threads = [threading.Thread(target=drip, args=(b"GET / HTTP/1.1\r\nx-header: y",), daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        started = time.monotonic()
        s3.put_object(Bucket="slow", Key="k", Body=b"quick")
        assert time.monotonic() - started < 5
        time.sleep(0.2)
    assert len(ended) == 20, "a connection that sends four bytes a second stayed open"
    wait_for(lambda: own_server.open_descriptors() < 60, what="the descriptors of the slow clients are closed")


def test_a_refused_upload_is_not_sent(server, bucket):
    headers = signed_headers(
        server, "PUT", f"/{bucket}/k", {"Content-Length": "1000000000", "Expect": "100-continue"}, secret_key="wrong",
        payload_hash="UNSIGNED-PAYLOAD",
    )
    connection = connect(server)
    connection.sendall(head_bytes("PUT", f"/{bucket}/k", headers))
    first = connection.recv(65536)
    assert first.startswith(b"HTTP/1.1 403"), first[:100]
    connection.close()


def test_expect_continue(server, s3, bucket):
    body = b"z" * 400_000
    headers = signed_headers(
        server, "PUT", f"/{bucket}/k", {"Content-Length": str(len(body)), "Expect": "100-continue", "Connection": "close"}, body
    )
    connection = connect(server)
    connection.sendall(head_bytes("PUT", f"/{bucket}/k", headers))
    assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(body)
    assert read_all(connection).startswith(b"HTTP/1.1 200")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_pipelined_requests_are_answered_in_order(server, s3, bucket):
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"%d" % number)
    sent = b"".join(
        head_bytes("GET", f"/{bucket}/k{number}", signed_headers(server, "GET", f"/{bucket}/k{number}")) for number in range(20)
    )
    last = signed_headers(server, "GET", f"/{bucket}/k0", {"Connection": "close"})
    connection = connect(server)
    connection.sendall(sent + head_bytes("GET", f"/{bucket}/k0", last))
    reply = read_all(connection)
    bodies = [part.split(b"\r\n\r\n", 1)[1] for part in reply.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"%d" % number for number in range(20)] + [b"0"]


def test_too_large(server, s3, bucket):
    headers = signed_headers(
        server, "PUT", f"/{bucket}/k", {"Content-Length": str(6 * 1024**3), "Expect": "100-continue"}, payload_hash="UNSIGNED-PAYLOAD"
    )
    connection = connect(server)
    connection.sendall(head_bytes("PUT", f"/{bucket}/k", headers))
    reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 400") and b"EntityTooLarge" in reply
    connection.close()
    assert nothing_stored(s3, bucket)


@pytest.mark.parametrize(
    "method,target", [("PATCH", "/{b}/k"), ("BREW", "/{b}"), ("POST", "/"), ("DELETE", "/"), ("TRACE", "/{b}/k"), ("PUT", "/")]
)
def test_methods_that_mean_nothing(server, bucket, method, target):
    reply = raw(server, method, target.format(b=bucket))
    assert reply.status in (400, 403, 405, 501) and reply.code, reply


def test_nothing_leaks(own_server):
    """Many clients that fail in many ways leave no descriptor, no file and no object."""
    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="leaks")
    s3.put_object(Bucket="leaks", Key="warm", Body=os.urandom(300_000))
    s3.delete_object(Bucket="leaks", Key="warm")
    wait_for(lambda: not own_server.body_files(), what="the warm-up's body is gone")
    before = own_server.open_descriptors()
    for number in range(60):
        kind = number % 4
        if kind == 0:
            assert error_of(
                lambda: s3.put_object(Bucket="leaks", Key="k", Body=os.urandom(300_000), ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
            )[1] == "BadDigest"
        elif kind == 1:
            headers = signed_headers(own_server, "PUT", "/leaks/k", {"Content-Length": "900000"}, payload_hash="UNSIGNED-PAYLOAD")
            connection = connect(own_server)
            connection.sendall(head_bytes("PUT", "/leaks/k", headers) + b"x" * 500_000)
            connection.close()
        elif kind == 2:
            assert error_of(
                lambda: s3.put_object(Bucket="leaks", Key="k", Body=os.urandom(300_000), IfMatch='"x"')
            )[1] == "NoSuchKey"
        else:
            assert error_of(lambda: s3.put_object(Bucket="absent-bucket", Key="k", Body=os.urandom(300_000)))[1] == "NoSuchBucket"
    wait_for(lambda: not own_server.body_files(), what="no body is left behind")
    wait_for(lambda: own_server.open_descriptors() <= before + 8, what="descriptors are back where they were")
    assert s3.list_objects_v2(Bucket="leaks")["KeyCount"] == 0
