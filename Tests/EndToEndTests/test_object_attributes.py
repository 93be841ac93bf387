"""GetObjectAttributes."""

import base64
import hashlib
import os
import zlib

from support.clients import error_of, raw
from test_multipart import MIB, complete

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def test_an_object_of_one_piece(server, s3, bucket):
    body = os.urandom(1000)
    s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm="CRC32", StorageClass="STANDARD_IA")
    reply = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert reply["ETag"] == hashlib.md5(body).hexdigest() and reply["ObjectSize"] == 1000
    assert reply["StorageClass"] == "STANDARD_IA" and "ObjectParts" not in reply and "VersionId" not in reply
    assert reply["Checksum"]["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert reply["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert reply["LastModified"] == s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    some = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert some["ObjectSize"] == 1000 and not {"ETag", "Checksum", "StorageClass"} & set(some)
    assert error_of(lambda: s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Acl"]))[:2] == (
        400, "InvalidArgument")
    assert raw(server, "GET", f"/{bucket}/k?attributes").code == "InvalidArgument"
    assert error_of(lambda: s3.get_object_attributes(Bucket=bucket, Key="absent", ObjectAttributes=ALL))[0] == 404


def test_parts_page_by_page(s3, bucket):
    bodies = {1: os.urandom(5 * MIB), 2: os.urandom(5 * MIB), 7: b"tail"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, body in bodies.items():
        reply = s3.upload_part(
            Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        parts.append({"PartNumber": number, "ETag": reply["ETag"], "ChecksumSHA256": reply["ChecksumSHA256"]})
    done = complete(s3, bucket, "k", upload, parts)
    reply = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert f'"{reply["ETag"]}"' == done["ETag"] and reply["Checksum"]["ChecksumType"] == "COMPOSITE"
    assert reply["Checksum"]["ChecksumSHA256"] + "-3" == done["ChecksumSHA256"]
    assert reply["ObjectParts"]["TotalPartsCount"] == 3 and not reply["ObjectParts"]["IsTruncated"]
    seen, marker = [], 0
    while True:
        page = s3.get_object_attributes(
            Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=2, PartNumberMarker=marker
        )["ObjectParts"]
        assert page["PartNumberMarker"] == marker and page["MaxParts"] == 2
        seen += [(part["PartNumber"], part["Size"], part["ChecksumSHA256"]) for part in page["Parts"]]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert seen == [(part["PartNumber"], len(bodies[part["PartNumber"]]), part["ChecksumSHA256"]) for part in parts]


def test_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"newest")
    reply = s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=old, ObjectAttributes=["ObjectSize"])
    assert reply["ObjectSize"] == 3 and reply["VersionId"] == old
    assert s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])["ObjectSize"] == 6
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    status, _, response = error_of(lambda: s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL))
    assert status == 404 and response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert error_of(
        lambda: s3.get_object_attributes(Bucket=bucket, Key="k", VersionId=marker, ObjectAttributes=ALL))[0] == 405
