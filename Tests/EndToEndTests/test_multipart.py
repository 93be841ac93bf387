"""Multipart uploads."""

import base64
import hashlib
import os
import zlib

import pytest

from support.clients import error_of, raw

MIB = 1024 * 1024


def upload_parts(s3, bucket, key, bodies, **options):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    parts = []
    for number, body in bodies.items():
        reply = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        assert reply["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        parts.append({"PartNumber": number, "ETag": reply["ETag"]})
    return upload, parts


def complete(s3, bucket, key, upload, parts, **options):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **options
    )


@pytest.mark.parametrize(
    "sizes", [[100], [0], [5 * MIB, 1], [5 * MIB, 6 * MIB, 200_000], [5 * MIB, 128 * 1024]], ids=str
)
def test_whole_life(s3, bucket, sizes):
    bodies = {2 * number + 1: os.urandom(size) for number, size in enumerate(sizes)}
    whole = b"".join(bodies.values())
    upload, parts = upload_parts(s3, bucket, "k", bodies, ContentType="text/x", Metadata={"m": "1"})
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
    done = complete(s3, bucket, "k", upload, parts)
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies.values())).hexdigest()
    assert done["ETag"] == f'"{digest}-{len(sizes)}"' and done["Bucket"] == bucket and done["Key"] == "k"
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == whole and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "1"}
    for number, body in bodies.items():
        part = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert part["Body"].read() == body and part["PartsCount"] == len(sizes)
    if len(sizes) > 1:
        border = sizes[0]
        reply = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={border - 5}-{border + 5}")
        assert reply["Body"].read() == whole[border - 5 : border + 6]
    assert complete(s3, bucket, "k", upload, parts)["ETag"] == done["ETag"], "a completion repeated"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_bad_completions_leave_the_upload(s3, bucket):
    bodies = {1: os.urandom(5 * MIB), 2: os.urandom(10), 3: os.urandom(10)}
    upload, parts = upload_parts(s3, bucket, "k", bodies)
    for wrong, code in (
        ([parts[1], parts[0]], "InvalidPartOrder"), ([parts[0], parts[0]], "InvalidPartOrder"),
        ([{"PartNumber": 9, "ETag": parts[0]["ETag"]}], "InvalidPart"), ([{"PartNumber": 1, "ETag": '"00"'}], "InvalidPart"),
        (parts, "EntityTooSmall"), ([], "MalformedXML"),
    ):
        status, found, _ = error_of(lambda: complete(s3, bucket, "k", upload, wrong))
        assert (status, found) == (400, code)
    assert error_of(lambda: complete(s3, bucket, "other", upload, parts[:1]))[:2] == (404, "NoSuchUpload")
    assert error_of(lambda: complete(s3, bucket, "k", "no-such-upload", parts[:1]))[:2] == (404, "NoSuchUpload")
    complete(s3, bucket, "k", upload, parts[:2])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == bodies[1] + bodies[2]


def test_abort_and_unknown_uploads(s3, bucket):
    upload, parts = upload_parts(s3, bucket, "k", {1: b"x" * 300_000})
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    for call in (
        lambda: s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload),
        lambda: s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x"),
        lambda: s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 300_000),
        lambda: s3.list_parts(Bucket=bucket, Key="k", UploadId=upload), lambda: complete(s3, bucket, "k", upload, parts),
        lambda: s3.list_parts(Bucket=bucket, Key="k", UploadId="garbage"),
    ):
        assert error_of(call)[:2] == (404, "NoSuchUpload")
    for number in (0, 10_001, -1):
        reply = error_of(lambda: s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"x"))
        assert reply[:2] == (400, "InvalidArgument")


def test_ten_thousand_and_one_parts(server, s3, bucket):
    upload, parts = upload_parts(s3, bucket, "k", {1: b"x"})
    part = f"<Part><PartNumber>%d</PartNumber><ETag>{parts[0]['ETag']}</ETag></Part>"
    body = "<CompleteMultipartUpload>" + "".join(part % number for number in range(1, 10_002)) + "</CompleteMultipartUpload>"
    reply = raw(server, "POST", f"/{bucket}/k?uploadId={upload}", body=body.encode())
    assert reply.status == 400 and reply.code in ("MalformedXML", "InvalidArgument"), reply
    complete(s3, bucket, "k", upload, parts)


def test_a_part_sent_twice_counts_once(own_server):
    from support.clients import make_client
    from support.server import wait_for

    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="twice")
    upload, _ = upload_parts(s3, "twice", "k", {1: os.urandom(6 * MIB)})
    body = os.urandom(5 * MIB)
    part = s3.upload_part(Bucket="twice", Key="k", UploadId=upload, PartNumber=1, Body=body)
    complete(s3, "twice", "k", upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    assert s3.get_object(Bucket="twice", Key="k")["Body"].read() == body
    wait_for(lambda: len(own_server.body_files()) == 1, what="the first body of the part is deleted")


def test_list_parts_and_uploads(s3, bucket):
    bodies = {number: bytes([number]) * 10 for number in range(1, 8)}
    upload, _ = upload_parts(s3, bucket, "folder/k", bodies)
    others = [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in ("a", "folder/j", "folder/k", "z")]
    page = s3.list_parts(Bucket=bucket, Key="folder/k", UploadId=upload, MaxParts=3)
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 2, 3] and page["IsTruncated"]
    page = s3.list_parts(Bucket=bucket, Key="folder/k", UploadId=upload, PartNumberMarker=page["NextPartNumberMarker"])
    assert [part["PartNumber"] for part in page["Parts"]] == [4, 5, 6, 7] and not page["IsTruncated"]
    everything = [("a", others[0]), ("folder/j", others[1]), ("folder/k", upload), ("folder/k", others[2]), ("z", others[3])]
    for size in (1, 2, 5, 100):
        seen, arguments = [], {}
        while True:
            page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=size, **arguments)
            seen += [(entry["Key"], entry["UploadId"]) for entry in page.get("Uploads", [])]
            if not page["IsTruncated"]:
                break
            arguments = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        assert seen == everything
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["folder/"]
    assert [entry["Key"] for entry in folded["Uploads"]] == ["a", "z"]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_checksums_of_parts_make_the_objects(s3, bucket, algorithm):
    bodies = {1: os.urandom(5 * MIB), 2: os.urandom(77)}
    digest = {"CRC32": lambda b: zlib.crc32(b).to_bytes(4, "big"), "SHA256": lambda b: hashlib.sha256(b).digest()}[algorithm]
    name = f"Checksum{algorithm}"
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE"
    )["UploadId"]
    parts = []
    for number, body in bodies.items():
        reply = s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm
        )
        assert reply[name] == base64.b64encode(digest(body)).decode()
        parts.append({"PartNumber": number, "ETag": reply["ETag"], name: reply[name]})
    expected = base64.b64encode(digest(b"".join(digest(body) for body in bodies.values()))).decode() + "-2"
    done = complete(s3, bucket, "k", upload, parts)
    assert done[name] == expected and done["ChecksumType"] == "COMPOSITE"
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[name] == expected and head["ChecksumType"] == "COMPOSITE"


def test_full_object_checksum(s3, bucket):
    bodies = {1: os.urandom(5 * MIB), 2: os.urandom(77)}
    value = base64.b64encode(zlib.crc32(b"".join(bodies.values())).to_bytes(4, "big")).decode()
    upload, parts = upload_parts(s3, bucket, "k", bodies, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    wrong = base64.b64encode(b"\0\0\0\0").decode()
    assert error_of(
        lambda: complete(s3, bucket, "k", upload, parts, ChecksumCRC32=wrong, ChecksumType="FULL_OBJECT")
    )[0] == 400
    done = complete(s3, bucket, "k", upload, parts, ChecksumCRC32=value, ChecksumType="FULL_OBJECT")
    assert done["ChecksumCRC32"] == value and done["ChecksumType"] == "FULL_OBJECT"


def test_conditional_completion(s3, bucket):
    upload, parts = upload_parts(s3, bucket, "k", {1: b"mine"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"theirs")
    assert error_of(lambda: complete(s3, bucket, "k", upload, parts, IfNoneMatch="*"))[:2] == (412, "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"
    complete(s3, bucket, "k", upload, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"mine"
