"""Buckets: life, names, owners."""

import pytest

from support.clients import error_of, raw


def test_create_head_list_delete(s3):
    s3.create_bucket(Bucket="life-of-a-bucket")
    assert s3.head_bucket(Bucket="life-of-a-bucket")["ResponseMetadata"]["HTTPStatusCode"] == 200
    listed = s3.list_buckets()
    assert "life-of-a-bucket" in [bucket["Name"] for bucket in listed["Buckets"]]
    assert listed["Owner"]["ID"]
    assert s3.get_bucket_location(Bucket="life-of-a-bucket")["LocationConstraint"] in (None, "us-east-1")
    assert s3.delete_bucket(Bucket="life-of-a-bucket")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(lambda: s3.head_bucket(Bucket="life-of-a-bucket"))[0] == 404
    assert error_of(lambda: s3.delete_bucket(Bucket="life-of-a-bucket"))[:2] == (404, "NoSuchBucket")


@pytest.mark.parametrize(
    "name",
    ["ab", "a" * 64, "Upper", "under_score", "-start", "end-", "two..dots", "192.168.1.1", "dot.-dash", "dash-.dot",
     "xn--punycode", "ends-s3alias"],
)
def test_invalid_names(server, name):
    assert (raw(server, "PUT", f"/{name}").status, raw(server, "PUT", f"/{name}").code) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "with.dots.inside", "123numbers", "a-b-c"])
def test_valid_names(s3, name):
    s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)


def test_a_bucket_with_an_object_is_not_deleted(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert error_of(lambda: s3.delete_bucket(Bucket=bucket))[:2] == (409, "BucketNotEmpty")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_names_belong_to_who_took_them(s3, alice, bob):
    alice.create_bucket(Bucket="owned-by-alice")
    assert error_of(lambda: bob.create_bucket(Bucket="owned-by-alice"))[:2] == (409, "BucketAlreadyExists")
    alice.put_object(Bucket="owned-by-alice", Key="k", Body=b"secret")
    for other in (bob, s3):
        assert "owned-by-alice" not in [entry["Name"] for entry in other.list_buckets()["Buckets"]]
        for call in (
            lambda: other.get_object(Bucket="owned-by-alice", Key="k"),
            lambda: other.put_object(Bucket="owned-by-alice", Key="k", Body=b"mine"),
            lambda: other.delete_object(Bucket="owned-by-alice", Key="k"),
            lambda: other.list_objects_v2(Bucket="owned-by-alice"),
            lambda: other.list_objects(Bucket="owned-by-alice"),
            lambda: other.list_object_versions(Bucket="owned-by-alice"),
            lambda: other.create_multipart_upload(Bucket="owned-by-alice", Key="k"),
            lambda: other.list_multipart_uploads(Bucket="owned-by-alice"),
            lambda: other.delete_bucket(Bucket="owned-by-alice"),
            lambda: other.get_bucket_versioning(Bucket="owned-by-alice"),
            lambda: other.get_bucket_location(Bucket="owned-by-alice"),
            lambda: other.put_bucket_versioning(
                Bucket="owned-by-alice", VersioningConfiguration={"Status": "Enabled"}
            ),
        ):
            assert error_of(call)[:2] == (403, "AccessDenied")
        assert error_of(lambda: other.head_bucket(Bucket="owned-by-alice"))[0] == 403
        assert error_of(lambda: other.head_object(Bucket="owned-by-alice", Key="k"))[0] == 403
        deleted = error_of(
            lambda: other.delete_objects(Bucket="owned-by-alice", Delete={"Objects": [{"Key": "k"}]})
        )
        assert deleted[:2] == (403, "AccessDenied")
    bob.create_bucket(Bucket="owned-by-bob")
    stolen = error_of(
        lambda: bob.copy_object(Bucket="owned-by-bob", Key="k", CopySource="owned-by-alice/k")
    )
    assert stolen[:2] == (403, "AccessDenied")
    assert alice.get_object(Bucket="owned-by-alice", Key="k")["Body"].read() == b"secret"
    assert [entry["Name"] for entry in alice.list_buckets()["Buckets"]] == ["owned-by-alice"]
    alice.delete_object(Bucket="owned-by-alice", Key="k")
    alice.delete_bucket(Bucket="owned-by-alice")
    bob.delete_bucket(Bucket="owned-by-bob")


def test_expected_owner(s3, bucket):
    owner = s3.list_buckets()["Owner"]["ID"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=owner)
    refused = error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner="0" * 12))
    assert refused[:2] == (403, "AccessDenied")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_what_we_lack_says_so_by_name(server, s3, bucket):
    for call in (
        lambda: s3.get_bucket_policy(Bucket=bucket),
        lambda: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": []}),
        lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        lambda: s3.get_object_torrent(Bucket=bucket, Key="k"),
        lambda: s3.get_object_acl(Bucket=bucket, Key="k"),
    ):
        status, code, response = error_of(call)
        assert (status, code) == (501, "NotImplemented")
        assert response["Error"]["Message"]
    assert "GetBucketPolicy" in raw(server, "GET", f"/{bucket}?policy").body.decode()


def test_list_buckets_in_pages(alice):
    names = [f"page-of-buckets-{number:02}" for number in range(7)]
    for name in names:
        alice.create_bucket(Bucket=name)
    seen, token = [], {}
    while True:
        page = alice.list_buckets(MaxBuckets=3, Prefix="page-of-", **token)
        assert len(page["Buckets"]) <= 3
        seen += [entry["Name"] for entry in page["Buckets"]]
        if not page.get("ContinuationToken"):
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    assert seen == names
    for name in names:
        alice.delete_bucket(Bucket=name)
