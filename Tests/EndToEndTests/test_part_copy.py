"""UploadPartCopy: parts that are copied from objects."""

import base64
import hashlib
import os
import zlib

import pytest

from support.clients import error_of, make_client, raw
from support.server import wait_for
from test_multipart import MIB, complete


@pytest.fixture
def upload(s3, bucket):
    return s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]


def copy_part(s3, bucket, upload, number, source, **options):
    """Gives the entry that a completion needs."""
    if isinstance(source, str):
        source = {"Bucket": bucket, "Key": source}
    reply = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, CopySource=source, **options
    )
    return {"PartNumber": number, "ETag": reply["CopyPartResult"]["ETag"]}


def test_an_object_of_copied_and_sent_parts(s3, bucket, upload):
    first, second = os.urandom(6 * MIB), os.urandom(100_000)
    s3.put_object(Bucket=bucket, Key="first", Body=first)
    s3.put_object(Bucket=bucket, Key="sécond +%/", Body=second)
    parts = [
        copy_part(s3, bucket, upload, 1, "first"),
        copy_part(s3, bucket, upload, 2, "first", CopySourceRange=f"bytes=17-{5 * MIB + 16}"),
        {"PartNumber": 3, "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=3, Body=first)["ETag"]},
        copy_part(s3, bucket, upload, 4, "sécond +%/", CopySourceRange="bytes=99999-99999"),
    ]
    assert parts[0]["ETag"] == f'"{hashlib.md5(first).hexdigest()}"'
    assert parts[1]["ETag"] == f'"{hashlib.md5(first[17 : 5 * MIB + 17]).hexdigest()}"'
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert [part["Size"] for part in listed] == [6 * MIB, 5 * MIB, 6 * MIB, 1]
    # The bytes are the part's own.
    s3.delete_object(Bucket=bucket, Key="first")
    complete(s3, bucket, "k", upload, parts)
    whole = s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert whole == first + first[17 : 5 * MIB + 17] + first + second[-1:]


def test_an_object_that_grows_out_of_itself(s3, bucket, upload):
    """What "append" is made of with S3: the object is its own first part."""
    body = os.urandom(5 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    parts = [copy_part(s3, bucket, upload, 1, "k")]
    parts.append({"PartNumber": 2, "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=2, Body=b"more")["ETag"]})
    complete(s3, bucket, "k", upload, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body + b"more"
    # Now the source is a multipart object, and the range crosses its border.
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = copy_part(s3, bucket, upload, 1, "k", CopySourceRange=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    complete(s3, bucket, "k", upload, [part])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body[-2:] + b"mo"


@pytest.mark.parametrize(
    "options,expected",
    [
        ({"CopySourceRange": "bytes=0-10"}, (400, "InvalidArgument")), ({"CopySourceRange": "bytes=10-10"}, (400, "InvalidArgument")),
        ({"CopySourceRange": "bytes=3-"}, (400, "InvalidArgument")), ({"CopySourceRange": "0-3"}, (400, "InvalidArgument")),
        ({"CopySource": "{bucket}/absent"}, (404, "NoSuchKey")), ({"CopySource": "no-such-bucket-here/k"}, (404, "NoSuchBucket")),
        ({"UploadId": "mpu-AAAAAAAAAAAAAAAA"}, (404, "NoSuchUpload")), ({"PartNumber": 10_001}, (400, "InvalidArgument")),
        ({"CopySourceIfMatch": '"00"'}, (412, "PreconditionFailed")), ({"CopySourceIfNoneMatch": "*"}, (412, "PreconditionFailed")),
        ({"CopySourceIfUnmodifiedSince": "2001-01-01"}, (412, "PreconditionFailed")),
    ],
    ids=str,
)
def test_refusals(s3, bucket, upload, options, expected):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    arguments = {
        "Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1, "CopySource": f"{bucket}/source", **options,
    }
    arguments["CopySource"] = arguments["CopySource"].format(bucket=bucket)
    assert error_of(lambda: s3.upload_part_copy(**arguments))[:2] == expected
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_anothers_objects_and_uploads(s3, alice, bucket, upload):
    alice.create_bucket(Bucket="alices-parts")
    alice.put_object(Bucket="alices-parts", Key="secret", Body=b"hers")
    source = {"Bucket": "alices-parts", "Key": "secret"}
    assert error_of(lambda: copy_part(s3, bucket, upload, 1, source))[:2] == (403, "AccessDenied")
    assert error_of(lambda: copy_part(alice, bucket, upload, 1, source))[:2] == (403, "AccessDenied")
    alice.delete_object(Bucket="alices-parts", Key="secret")
    alice.delete_bucket(Bucket="alices-parts")


def test_versions(s3, bucket, upload):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="source", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="source", Body=b"newer")["VersionId"]
    reply = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "source", "VersionId": old},
    )
    assert reply["CopySourceVersionId"] == old
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"][0]
    assert listed["Size"] == 3 and listed["LastModified"] == reply["CopyPartResult"]["LastModified"]
    reply = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}
    )
    assert reply["CopySourceVersionId"] == new
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"][0]["Size"] == 5


def test_the_checksum_is_the_uploads(s3, bucket):
    body = os.urandom(5 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=body, ChecksumAlgorithm="CRC32")
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    parts = []
    for number, copied in ((1, body), (2, body[5:105])):
        options = {} if number == 1 else {"CopySourceRange": "bytes=5-104"}
        reply = s3.upload_part_copy(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, CopySource={"Bucket": bucket, "Key": "source"}, **options
        )["CopyPartResult"]
        assert reply["ChecksumCRC32"] == base64.b64encode(zlib.crc32(copied).to_bytes(4, "big")).decode()
        parts.append({"PartNumber": number, "ETag": reply["ETag"], "ChecksumCRC32": reply["ChecksumCRC32"]})
    done = complete(s3, bucket, "k", upload, parts)
    assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body + body[5:105]).to_bytes(4, "big")).decode()


def test_a_managed_copy_above_the_threshold(s3, bucket):
    body = os.urandom(20 * MIB + 3)
    s3.put_object(Bucket=bucket, Key="source", Body=body, ContentType="text/x", Metadata={"m": "1"})
    s3.copy({"Bucket": bucket, "Key": "source"}, bucket, "k")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ETag"].endswith('-3"') and head["ContentLength"] == len(body)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_copied_parts_that_are_replaced_or_aborted_leave_no_bodies(own_server):
    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="copies")
    s3.put_object(Bucket="copies", Key="source", Body=os.urandom(300_000))
    upload = s3.create_multipart_upload(Bucket="copies", Key="k")["UploadId"]
    for _ in range(3):
        copy_part(s3, "copies", upload, 1, "source")
    wait_for(lambda: len(own_server.body_files()) == 2, what="replaced parts are deleted")
    s3.abort_multipart_upload(Bucket="copies", Key="k", UploadId=upload)
    wait_for(lambda: len(own_server.body_files()) == 1, what="aborted parts are deleted")


def test_without_number_or_upload_it_is_no_copy(server, s3, bucket, upload):
    s3.put_object(Bucket=bucket, Key="source", Body=b"x")
    headers = {"x-amz-copy-source": f"/{bucket}/source"}
    for query in (f"uploadId={upload}", "partNumber=1"):
        assert raw(server, "PUT", f"/{bucket}/k?{query}", headers).status == 400
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="k"))[0] == 404
