"""Objects: bytes, headers, ranges, conditions, copies."""

import base64
import datetime
import hashlib
import os
import zlib

import pytest

from support.clients import encode_path, error_of, raw

SIZES = [0, 1, 1024, 65536, 128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 256 * 1024, 1024 * 1024 + 7, 9 * 1024 * 1024 + 3]


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(s3, bucket, size):
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert got["ContentLength"] == size and got["ETag"] == put["ETag"]
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentLength"] == size and head["ETag"] == put["ETag"]
    assert head["ContentType"] == "binary/octet-stream" and head["AcceptRanges"] == "bytes"
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 300


def test_an_empty_body_that_expects_an_interim_response_leaves_the_connection_usable(s3, bucket):
    """botocore took a final response that came without the interim one for the answer to its next request as well."""
    for size in (0, 3_000_000, 0, 10, 0, 300_000):
        body = os.urandom(size)
        assert s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'


KEYS = [
    "plain", "with space", "..", "../..", "a/../b", "/leading", "//two//slashes//", "trailing/", "percent%41", "plus+plus",
    "ümlaut", "e\u0301", "\u00e9", "日本語", "😀/🚀", "\x01\x02\x7f", "tab\tand\nnewline", "quote\"'<>&", "~tilde*star(paren)!",
    "?question#hash", "a=b&c=d", "back\\slash", "\ufffd", "\U0010ffff", "x" * 1024, "é" * 512, ":colon;semi,comma@at",
    "[brackets]{braces}|pipe^caret`tick",
]


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_any_key_round_trips(server, s3, bucket, key):
    assert raw(server, "PUT", encode_path(bucket, key), body=key.encode()).status == 200
    assert raw(server, "GET", encode_path(bucket, key)).body == key.encode()
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert raw(server, "DELETE", encode_path(bucket, key)).status == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_nul_in_a_key(server, s3, bucket):
    for key in (b"a\x00b", b"a", b"a\x00", b"a\x01"):
        assert raw(server, "PUT", encode_path(bucket, key), body=key).status == 200
    for key in (b"a\x00b", b"a", b"a\x00", b"a\x01"):
        assert raw(server, "GET", encode_path(bucket, key)).body == key
    text = raw(server, "GET", f"/{bucket}?encoding-type=url&list-type=2").body.decode()
    keys = [part.split("</Key>")[0] for part in text.split("<Key>")[1:]]
    assert keys == ["a", "a%00", "a%00b", "a%01"]
    for key in (b"a\x00b", b"a", b"a\x00", b"a\x01"):
        assert raw(server, "DELETE", encode_path(bucket, key)).status == 204


@pytest.mark.parametrize(
    "path,code",
    [("x" * 1025, "KeyTooLongError"), ("%ff%fe", None), ("a%C3", None), ("%ED%A0%80", None), ("bad%zz", None), ("%4", None)],
)
def test_keys_that_cannot_be(server, bucket, path, code):
    for method, body in (("PUT", b"x"), ("GET", b"")):
        reply = raw(server, method, f"/{bucket}/{path}", body=body)
        assert reply.status == 400 and reply.code and (code is None or reply.code == code), reply
    assert b"<KeyCount>0</KeyCount>" in raw(server, "GET", f"/{bucket}?list-type=2").body


def test_system_headers_and_user_metadata(s3, bucket):
    sent = {
        "ContentType": "text/plain; charset=utf-8", "CacheControl": "max-age=60", "ContentDisposition": 'attachment; filename="a"',
        "ContentEncoding": "gzip", "ContentLanguage": "de-DE", "Expires": datetime.datetime(2030, 1, 2, 3, 4, 5),
        "Metadata": {"one": "1", "two-two": "a value"}, "StorageClass": "STANDARD_IA", "WebsiteRedirectLocation": "/elsewhere",
    }
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **sent)
    for reply in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        for name in ("ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Metadata",
                     "StorageClass", "WebsiteRedirectLocation"):
            assert reply[name] == sent[name], name
        assert reply["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD_IA"
    s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {} and "StorageClass" not in head and "CacheControl" not in head


def test_too_much_metadata(s3, bucket):
    status, code, _ = error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048}))
    assert (status, code) == (400, "MetadataTooLarge")
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="k", StorageClass="NO_SUCH"))[:2] == (400, "InvalidStorageClass")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [1000, 700_000])
@pytest.mark.parametrize(
    "header,first,last",
    [("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=990-", 990, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None),
     ("bytes=-99999999", 0, None), ("bytes=500-600", 500, 600)],
)
def test_ranges(s3, bucket, size, header, first, last):
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    start = first if first >= 0 else size + first
    end = size - 1 if last is None else last
    reply = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert reply["Body"].read() == body[start : end + 1]
    assert reply["ContentRange"] == f"bytes {start}-{end}/{size}"
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 206
    head = s3.head_object(Bucket=bucket, Key="k", Range=header)
    assert head["ContentLength"] == end - start + 1


def test_ranges_that_cannot_be(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for header in ("bytes=10-", "bytes=10-20", "bytes=-0"):
        status, code, response = error_of(lambda: s3.get_object(Bucket=bucket, Key="k", Range=header))
        assert (status, code) == (416, "InvalidRange"), header
        assert response["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */10"
    for header in ("bytes=5-2", "chars=0-1", "bytes=a-b", "bytes=0-1,3-4"):
        reply = s3.get_object(Bucket=bucket, Key="k", Range=header)
        assert reply["Body"].read() == b"0123456789"
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200, header


def test_ranges_at_every_block_border(s3, bucket):
    body = os.urandom(1024 * 1024 + 11)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    for border in range(0, len(body), 65536):
        for first, last in ((border - 1, border), (border, border), (border - 3, border + 65540)):
            first, last = max(first, 0), min(last, len(body) - 1)
            reply = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")
            assert reply["Body"].read() == body[first : last + 1]


def test_conditions_on_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = modified - datetime.timedelta(seconds=10), modified + datetime.timedelta(seconds=10)
    for call in (s3.get_object, s3.head_object):
        call(Bucket=bucket, Key="k", IfMatch=etag)
        call(Bucket=bucket, Key="k", IfMatch="*")
        call(Bucket=bucket, Key="k", IfNoneMatch='"other"')
        call(Bucket=bucket, Key="k", IfModifiedSince=before)
        call(Bucket=bucket, Key="k", IfUnmodifiedSince=after)
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfMatch='"other"'))[0] == 412
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfUnmodifiedSince=before))[0] == 412
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfNoneMatch=etag))[0] == 304
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfNoneMatch="*"))[0] == 304
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfModifiedSince=modified))[0] == 304
        # RFC 9110, 13.2.2: If-Match beats If-Unmodified-Since, If-None-Match beats If-Modified-Since.
        call(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=before)
        call(Bucket=bucket, Key="k", IfNoneMatch='"other"', IfModifiedSince=after - datetime.timedelta(seconds=10))
        assert error_of(lambda: call(Bucket=bucket, Key="k", IfNoneMatch=etag, IfModifiedSince=before))[0] == 304


def test_conditions_on_writes(s3, bucket):
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"0", IfMatch='"x"'))[:2] == (404, "NoSuchKey")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*"))[:2] == (412, "PreconditionFailed")
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"x"'))[:2] == (412, "PreconditionFailed")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=first))[0] == 412
    assert error_of(lambda: s3.delete_object(Bucket=bucket, Key="k", IfMatch=first))[0] == 412
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k"))[:2] == (404, "NoSuchKey")


def test_response_overrides(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    reply = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="application/json", ResponseCacheControl="no-store",
        ResponseContentDisposition="inline", ResponseContentEncoding="identity", ResponseContentLanguage="fr",
        ResponseExpires=datetime.datetime(2031, 1, 1),
    )
    assert reply["ContentType"] == "application/json" and reply["CacheControl"] == "no-store"
    assert reply["ContentDisposition"] == "inline" and reply["ContentEncoding"] == "identity" and reply["ContentLanguage"] == "fr"


def test_delete_is_idempotent(s3, bucket):
    assert s3.delete_object(Bucket=bucket, Key="never")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="never"))[:2] == (404, "NoSuchKey")
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="never"))[0] == 404
    assert error_of(lambda: s3.get_object(Bucket="no-such-bucket-at-all", Key="k"))[:2] == (404, "NoSuchBucket")
    assert error_of(lambda: s3.put_object(Bucket="no-such-bucket-at-all", Key="k"))[:2] == (404, "NoSuchBucket")


def test_delete_objects(s3, bucket):
    for number in range(10):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"k{number}"} for number in range(5)] + [{"Key": "absent"}]})
    assert sorted(entry["Key"] for entry in reply["Deleted"]) == ["absent", "k0", "k1", "k2", "k3", "k4"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": f"k{number}"} for number in range(5, 9)]})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k9"]


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_copies(s3, bucket, size):
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="a key+with %", Body=body, ContentType="text/x", Metadata={"m": "1"})
    copied = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "a key+with %"})
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "1"}
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"}, MetadataDirective="REPLACE",
        ContentType="text/y", Metadata={"n": "2"},
    )
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == body and got["ContentType"] == "text/y" and got["Metadata"] == {"n": "2"}
    assert error_of(lambda: s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/to"))[:2] == (400, "InvalidRequest")
    s3.delete_object(Bucket=bucket, Key="a key+with %")
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == body
    assert error_of(lambda: s3.copy_object(Bucket=bucket, Key="x", CopySource=f"{bucket}/absent"))[:2] == (404, "NoSuchKey")
    assert error_of(lambda: s3.copy_object(Bucket=bucket, Key="x", CopySource="absent-bucket/k"))[:2] == (404, "NoSuchBucket")


def test_copy_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"x")["ETag"]
    source = f"{bucket}/from"
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch=etag)
    for condition in ({"CopySourceIfMatch": '"other"'}, {"CopySourceIfNoneMatch": etag}):
        assert error_of(lambda: s3.copy_object(Bucket=bucket, Key="new", CopySource=source, **condition))[0] == 412
    assert error_of(lambda: s3.copy_object(Bucket=bucket, Key="to", CopySource=source, IfNoneMatch="*"))[0] == 412
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="new"))[0] == 404


CHECKSUMS = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "SHA1": lambda body: hashlib.sha1(body).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}


@pytest.mark.parametrize("size", [5, 400_000])
@pytest.mark.parametrize("algorithm", sorted(CHECKSUMS))
def test_checksums(s3, bucket, algorithm, size):
    body = os.urandom(size)
    value = base64.b64encode(CHECKSUMS[algorithm](body)).decode()
    name = f"Checksum{algorithm}"
    assert s3.put_object(Bucket=bucket, Key="k", Body=body, **{name: value})[name] == value
    assert s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == value
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == value
    assert name not in s3.head_object(Bucket=bucket, Key="k")
    wrong = base64.b64encode(CHECKSUMS[algorithm](body + b"!")).decode()
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="bad", Body=body, **{name: wrong}))[:2] == (400, "BadDigest")
    assert error_of(lambda: s3.put_object(Bucket=bucket, Key="bad", Body=body, **{name: "####"}))[:2] == (400, "InvalidRequest")
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="bad"))[0] == 404


def test_checksum_in_a_trailer(server, s3, bucket):
    """What current SDKs send: aws-chunked, unsigned payload, checksum as the trailer."""
    body = os.urandom(300_000)
    for value, status in ((zlib.crc32(body), 200), (zlib.crc32(body) ^ 1, 400)):
        encoded = base64.b64encode(value.to_bytes(4, "big"))
        framed = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (
            200_000, body[:200_000], 100_000, body[200_000:], encoded
        )
        reply = raw(
            server, "PUT", f"/{bucket}/trailer-{status}",
            {"X-Amz-Decoded-Content-Length": str(len(body)), "X-Amz-Trailer": "x-amz-checksum-crc32", "Content-Encoding": "aws-chunked"},
            framed, payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        )
        assert reply.status == status, reply
    got = s3.get_object(Bucket=bucket, Key="trailer-200", ChecksumMode="ENABLED")
    assert got["Body"].read() == body and "ContentEncoding" not in got
    assert got["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="trailer-400"))[0] == 404
