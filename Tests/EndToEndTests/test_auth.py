"""Signatures: what is accepted, and each way of being refused."""

import datetime
import hashlib
import hmac
import urllib.request

import pytest

from support.clients import error_of, make_client, raw, signed_headers


def now():
    return datetime.datetime.now(datetime.timezone.utc)


@pytest.mark.parametrize(
    "options,status,code",
    [
        ({"secret_key": "wrong"}, 403, "SignatureDoesNotMatch"),
        ({"access_key": "UNKNOWN"}, 403, "InvalidAccessKeyId"),
        ({"region": "mars-1"}, 400, "AuthorizationHeaderMalformed"),
        ({"service": "ec2"}, 400, "AuthorizationHeaderMalformed"),
        ({"minutes": -16}, 403, "RequestTimeTooSkewed"),
        ({"minutes": 16}, 403, "RequestTimeTooSkewed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_refused(server, s3, bucket, options, status, code):
    options = dict(options)
    if minutes := options.pop("minutes", 0):
        options["when"] = now() + datetime.timedelta(minutes=minutes)
    reply = raw(server, "PUT", f"/{bucket}/k", body=b"x", **options)
    assert (reply.status, reply.code) == (status, code), reply
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_little_skew_is_fine(server, bucket):
    for minutes in (-14, 14):
        assert raw(server, "GET", f"/{bucket}", when=now() + datetime.timedelta(minutes=minutes)).status == 200


def test_anonymous(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for method, path in (("GET", "/"), ("GET", f"/{bucket}"), ("GET", f"/{bucket}/k"), ("PUT", f"/{bucket}/k"), ("DELETE", f"/{bucket}/k")):
        reply = raw(server, method, path, sign=False)
        assert (reply.status, reply.code) == (403, "AccessDenied"), (method, path, reply)
    assert raw(server, "HEAD", f"/{bucket}/k", sign=False).status == 403


@pytest.mark.parametrize(
    "header",
    ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=zz",
     "Basic dXNlcjpwYXNz", "AWS rustfsadmin:c2lnbmF0dXJl", "AWS4-ECDSA-P256-SHA256 Credential=x", "", " ", "," * 5000],
)
def test_authorization_headers_that_are_none(server, bucket, header):
    headers = signed_headers(server, "GET", f"/{bucket}")
    headers["Authorization"] = header
    reply = raw(server, "GET", f"/{bucket}", headers, sign=False)
    assert reply.status in (400, 403, 501) and reply.code, reply


@pytest.mark.parametrize("change", ["method", "path", "query", "header", "body", "hash", "date", "unsigned-amz-header"])
def test_tampering(server, s3, bucket, change):
    headers = signed_headers(server, "PUT", f"/{bucket}/k?x=1", {"x-amz-meta-a": "1"}, b"body")
    method, target, body = "PUT", f"/{bucket}/k?x=1", b"body"
    if change == "method":
        method = "POST"
    elif change == "path":
        target = f"/{bucket}/l?x=1"
    elif change == "query":
        target = f"/{bucket}/k?x=2"
    elif change == "header":
        headers["x-amz-meta-a"] = "2"
    elif change == "body":
        body = b"bodi"
    elif change == "hash":
        headers["X-Amz-Content-SHA256"] = hashlib.sha256(b"bodi").hexdigest()
    elif change == "date":
        headers["X-Amz-Date"] = (now() + datetime.timedelta(seconds=5)).strftime("%Y%m%dT%H%M%SZ")
    elif change == "unsigned-amz-header":
        headers["x-amz-storage-class"] = "STANDARD_IA"
    reply = raw(server, method, target, headers, body, sign=False)
    assert reply.status in (400, 403, 405) and reply.code, reply
    if change == "body":
        assert reply.code == "XAmzContentSHA256Mismatch"
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_presigned(server, s3, bucket):
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b+c/ü"}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(put, data=b"presigned", method="PUT")) as reply:
        assert reply.status == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b+c/ü"}, ExpiresIn=60)
    with urllib.request.urlopen(get) as reply:
        assert reply.read() == b"presigned"
    target = get.removeprefix(server.s3_url)
    for spoiled, code in (
        (target.replace("X-Amz-Expires=60", "X-Amz-Expires=61"), "SignatureDoesNotMatch"),
        (target.replace("X-Amz-Expires=60", "X-Amz-Expires=604801"), "AuthorizationQueryParametersError"),
        (target.replace("X-Amz-Expires=60", "X-Amz-Expires=-1"), "AuthorizationQueryParametersError"),
        (target.replace("X-Amz-Expires=60", "X-Amz-Expires=x"), "AuthorizationQueryParametersError"),
        (target + "&more=1", "SignatureDoesNotMatch"), (target.replace("a%20b", "a%20c"), "SignatureDoesNotMatch"),
    ):
        reply = raw(server, "GET", spoiled, sign=False)
        assert reply.status in (400, 403) and reply.code == code, (spoiled, reply)


def test_presigned_and_expired(server, bucket, monkeypatch):
    import botocore.auth

    past = now() - datetime.timedelta(seconds=120)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: past.replace(tzinfo=None), raising=False)
    client = make_client(server)
    url = client.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket}, ExpiresIn=60)
    if past.strftime("%Y%m%dT%H%M") not in url:
        pytest.fail("botocore's clock could not be set back")
    reply = raw(server, "GET", url.removeprefix(server.s3_url), sign=False)
    assert (reply.status, reply.code) == (403, "AccessDenied") and b"expired" in reply.body


def chunk(key, scope, timestamp, previous, data):
    text = "\n".join(
        ["AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, previous, hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest()]
    )
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data), signature


@pytest.mark.parametrize("tamper", [None, "data", "signature", "cut", "order"])
def test_signed_chunks(server, s3, bucket, tamper):
    when = now()
    timestamp, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
    pieces = [b"a" * 65536, b"b" * 65536, b"c" * 1000, b""]
    length = sum(map(len, pieces))
    headers = signed_headers(
        server, "PUT", f"/{bucket}/k", {"X-Amz-Decoded-Content-Length": str(length), "Content-Encoding": "aws-chunked"},
        payload_hash="STREAMING-AWS4-HMAC-SHA256-PAYLOAD", when=when,
    )
    key = b"AWS4rustfsadmin"
    for step in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    scope, signature, framed = f"{day}/us-east-1/s3/aws4_request", headers["Authorization"].rsplit("Signature=")[1], []
    for piece in pieces:
        bytes_, signature = chunk(key, scope, timestamp, signature, piece)
        framed.append(bytes_)
    if tamper == "data":
        framed[1] = framed[1].replace(b"bbbb", b"bbbB", 1)
    elif tamper == "signature":
        framed[2] = framed[2].replace(b"chunk-signature=", b"chunk-signature=0", 1)[:-3] + b"\r\n"
    elif tamper == "cut":
        framed.pop()
    elif tamper == "order":
        framed[0], framed[1] = framed[1], framed[0]
    reply = raw(server, "PUT", f"/{bucket}/k", headers, b"".join(framed), sign=False)
    if tamper is None:
        assert reply.status == 200
        got = s3.get_object(Bucket=bucket, Key="k")
        assert got["Body"].read() == b"".join(pieces) and "ContentEncoding" not in got
    else:
        assert reply.status in (400, 403) and reply.code, reply
        assert error_of(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
