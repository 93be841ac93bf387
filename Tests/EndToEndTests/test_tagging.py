"""Tags of objects and of buckets."""

import json

import pytest

from support.clients import REGION, error_of, raw
from support.server import USERS
from test_clients import AWS, run
from test_multipart import complete


def tag_set(tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(s3, bucket, key, **options):
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key, **options)["TagSet"]}


TAGS = {"plain": "value", "ünicode 語": "ß + - = . _ : / @", "empty": ""}


def test_tags_change_nothing_else(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"body", Metadata={"m": "1"})
    before = s3.head_object(Bucket=bucket, Key="k")
    assert tags_of(s3, bucket, "k") == {} and "TagCount" not in before
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(TAGS))
    assert tags_of(s3, bucket, "k") == TAGS
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["TagCount"] == 3 and got["Body"].read() == b"body"
    after = s3.head_object(Bucket=bucket, Key="k")
    assert after.pop("TagCount") == 3
    for reply in (before, after):
        reply.pop("ResponseMetadata")
    assert after == before
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set({"other": "1"}))
    assert tags_of(s3, bucket, "k") == {"other": "1"}
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert tags_of(s3, bucket, "k") == {}
    for call in (
        lambda: s3.get_object_tagging(Bucket=bucket, Key="absent"), lambda: s3.delete_object_tagging(Bucket=bucket, Key="absent"),
        lambda: s3.put_object_tagging(Bucket=bucket, Key="absent", Tagging=tag_set(TAGS)),
    ):
        assert error_of(call)[:2] == (404, "NoSuchKey")


def test_tags_in_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 200_000, Tagging="a=1&b+b=%C3%BC")
    assert tags_of(s3, bucket, "k") == {"a": "1", "b b": "ü"}
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert tags_of(s3, bucket, "copy") == {"a": "1", "b b": "ü"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, TaggingDirective="REPLACE", Tagging="c=3")
    assert tags_of(s3, bucket, "copy") == {"c": "3"}
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "1"})
    assert tags_of(s3, bucket, "k") == {"a": "1", "b b": "ü"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", Tagging="m=p")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    complete(s3, bucket, "parts", upload, [{"PartNumber": 1, "ETag": part["ETag"]}])
    assert tags_of(s3, bucket, "parts") == {"m": "p"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    assert tags_of(s3, bucket, "k") == {}


def test_versions_have_their_own(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="v=1")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="v=2")["VersionId"]
    reply = s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=old, Tagging=tag_set({"v": "changed"}))
    assert reply["VersionId"] == old
    assert tags_of(s3, bucket, "k") == {"v": "2"} and tags_of(s3, bucket, "k", VersionId=old) == {"v": "changed"}
    assert s3.delete_object_tagging(Bucket=bucket, Key="k")["VersionId"] == new
    assert [entry["VersionId"] for entry in s3.list_object_versions(Bucket=bucket)["Versions"]] == [new, old]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert error_of(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set({})))[0] == 404
    assert error_of(lambda: s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=marker))[0] == 405
    assert tags_of(s3, bucket, "k", VersionId=old) == {"v": "changed"}
    s3.delete_object(Bucket=bucket, Key="k", VersionId=old)
    assert error_of(lambda: s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=old))[:2] == (404, "NoSuchVersion")


@pytest.mark.parametrize(
    "tags", [{"k" * 129: ""}, {"k": "v" * 257}, {"aws:k": "v"}, {"k": "a,b"}, {str(n): "" for n in range(11)}], ids=str
)
def test_tags_that_cannot_be(s3, bucket, tags):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="before=1")
    assert error_of(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(tags)))[:2] == (400, "InvalidTag")
    assert tags_of(s3, bucket, "k") == {"before": "1"}


def test_documents_that_are_none(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for body in (b"", b"<Tagging/>", b"<x/>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", b"garbage"):
        for path in (f"/{bucket}/k?tagging", f"/{bucket}?tagging"):
            reply = raw(server, "PUT", path, body=body)
            assert (reply.status, reply.code) == (400, "MalformedXML")
    reply = raw(server, "PUT", f"/{bucket}/k", {"x-amz-tagging": "a=1&a=2"}, b"y")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_tags_outlive_the_process(own_server):
    from support.clients import make_client

    own_server.start()
    s3 = make_client(own_server)
    s3.create_bucket(Bucket="outlive")
    s3.put_object(Bucket="outlive", Key="k", Body=b"x")
    s3.put_object_tagging(Bucket="outlive", Key="k", Tagging=tag_set(TAGS))
    s3.put_bucket_tagging(Bucket="outlive", Tagging=tag_set(TAGS))
    own_server.restart()
    s3 = make_client(own_server)
    assert tags_of(s3, "outlive", "k") == TAGS
    assert {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="outlive")["TagSet"]} == TAGS


def test_the_command_line(server, s3, bucket, tmp_path):
    environment = {
        "AWS_ACCESS_KEY_ID": USERS["root"][0], "AWS_SECRET_ACCESS_KEY": USERS["root"][1], "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.s3_url, "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_PAGER": "",
    }

    def aws(*words):
        return run([AWS, "s3api", *words], environment).stdout

    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    place = ["--bucket", bucket, "--key", "k"]
    aws("put-object-tagging", *place, "--tagging", json.dumps(tag_set({"c": "3", "d": ""})))
    assert json.loads(aws("get-object-tagging", *place)) == tag_set({"c": "3", "d": ""})
    aws("copy-object", "--bucket", bucket, "--key", "copy", "--copy-source", f"{bucket}/k")
    assert tags_of(s3, bucket, "copy") == {"c": "3", "d": ""}
    aws("delete-object-tagging", *place)
    assert tags_of(s3, bucket, "k") == {}
    aws("put-bucket-tagging", "--bucket", bucket, "--tagging", "TagSet=[{Key=c,Value=3}]")
    assert json.loads(aws("get-bucket-tagging", "--bucket", bucket)) == tag_set({"c": "3"})
    aws("delete-bucket-tagging", "--bucket", bucket)


# Buckets


def test_bucket_tags(s3, alice, bucket):
    assert error_of(lambda: s3.get_bucket_tagging(Bucket=bucket))[:2] == (404, "NoSuchTagSet")
    for tags in (TAGS, {str(number): "x" * 256 for number in range(50)}, {"a": "1"}):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(tags))
        assert {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]} == tags
    too_many = tag_set({str(number): "" for number in range(51)})
    assert error_of(lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging=too_many))[:2] == (400, "InvalidTag")
    assert error_of(lambda: alice.get_bucket_tagging(Bucket=bucket))[:2] == (403, "AccessDenied")
    assert error_of(lambda: alice.put_bucket_tagging(Bucket=bucket, Tagging=tag_set({})))[:2] == (403, "AccessDenied")
    for _ in range(2):
        s3.delete_bucket_tagging(Bucket=bucket)
        assert error_of(lambda: s3.get_bucket_tagging(Bucket=bucket))[:2] == (404, "NoSuchTagSet")
    assert error_of(lambda: s3.get_bucket_tagging(Bucket="no-such-bucket-here"))[:2] == (404, "NoSuchBucket")


def test_a_bucket_made_anew_has_no_tags(s3):
    s3.create_bucket(Bucket="made-anew")
    s3.put_bucket_tagging(Bucket="made-anew", Tagging=tag_set({"a": "1"}))
    s3.delete_bucket(Bucket="made-anew")
    s3.create_bucket(Bucket="made-anew")
    assert error_of(lambda: s3.get_bucket_tagging(Bucket="made-anew"))[:2] == (404, "NoSuchTagSet")
    s3.delete_bucket(Bucket="made-anew")
