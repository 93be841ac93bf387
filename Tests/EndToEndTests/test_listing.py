"""Listing: order, folders, markers, pages, against a naive model of S3's rules."""

import itertools
import random

import pytest

from support.clients import error_of, raw

TREE = [
    "a", "a-b", "a/", "a/1", "a/2", "a/b/c", "a0", "b/x/1", "b/x/2", "b/y", "c", "photos/2024/1", "photos/2024/2", "photos/2025/1",
    "photos/readme", "z//double", "z/single", "é/1", "é/2", "日本/x", "😀",
]


@pytest.fixture(scope="module")
def tree(s3):
    s3.create_bucket(Bucket="tree-for-listing")
    for key in TREE:
        s3.put_object(Bucket="tree-for-listing", Key=key, Body=key.encode())
    yield "tree-for-listing"
    for key in TREE:
        s3.delete_object(Bucket="tree-for-listing", Key=key)
    s3.delete_bucket(Bucket="tree-for-listing")


def model(keys, prefix="", delimiter=""):
    """Everything a listing must show, in order: ("key", k) or ("prefix", p)."""
    shown = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folded = ("prefix", prefix + rest[: rest.index(delimiter) + len(delimiter)])
            if folded not in shown:
                shown.append(folded)
        else:
            shown.append(("key", key))
    return shown


def entries(page):
    found = [("key", item["Key"]) for item in page.get("Contents", [])]
    found += [("prefix", item["Prefix"]) for item in page.get("CommonPrefixes", [])]
    return sorted(found, key=lambda entry: entry[1].encode())


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "photos/", "photos/2", "z/", "é", "no-such", "b/x/"])
@pytest.mark.parametrize("delimiter", ["", "/", "-", "/1", "é", "o"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_show_everything_once(s3, tree, prefix, delimiter, size):
    expected = model(TREE, prefix, delimiter)
    for call, marker_in, marker_out in (
        (s3.list_objects_v2, "ContinuationToken", "NextContinuationToken"), (s3.list_objects, "Marker", "NextMarker")
    ):
        seen, arguments = [], {}
        for _ in range(len(expected) + 2):
            page = call(Bucket=tree, Prefix=prefix, Delimiter=delimiter, MaxKeys=size, **arguments)
            found = entries(page)
            assert len(found) <= size
            seen += found
            if not page["IsTruncated"]:
                break
            assert found, "an empty page that claims there is more"
            marker = page.get(marker_out) or found[-1][1]
            assert marker != arguments.get(marker_in), "the marker does not move"
            arguments = {marker_in: marker}
        else:
            raise AssertionError("the listing does not end")
        assert seen == expected


def test_start_after_is_exclusive_and_may_be_absent_or_before_the_prefix(s3, tree):
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=tree, StartAfter="a/1")["Contents"]]
    assert keys == [key for key in sorted(TREE, key=str.encode) if key.encode() > b"a/1"]
    assert [e["Key"] for e in s3.list_objects_v2(Bucket=tree, StartAfter="a/15")["Contents"]][0] == "a/2"
    page = s3.list_objects_v2(Bucket=tree, Prefix="photos/", StartAfter="a")
    assert len(page["Contents"]) == 4
    assert s3.list_objects_v2(Bucket=tree, Prefix="photos/", StartAfter="q")["KeyCount"] == 0
    assert s3.list_objects_v2(Bucket=tree, StartAfter="\U0010ffff")["KeyCount"] == 0


def test_max_keys(s3, server, tree):
    page = s3.list_objects_v2(Bucket=tree, MaxKeys=0)
    assert page["KeyCount"] == 0 and page["IsTruncated"] is False and page["MaxKeys"] == 0
    assert s3.list_objects(Bucket=tree, MaxKeys=0)["IsTruncated"] is False
    exact = s3.list_objects_v2(Bucket=tree, MaxKeys=len(TREE))
    assert exact["IsTruncated"] is False and exact["KeyCount"] == len(TREE)
    for value in ("-1", "x", "1.5", "99999999999999999999"):
        assert raw(server, "GET", f"/{tree}?list-type=2&max-keys={value}").code == "InvalidArgument", value
    assert raw(server, "GET", f"/{tree}?list-type=2&max-keys=2000").status == 200


def test_tokens_that_are_not_ours(server, tree):
    for token in ("x", "%00", "AAAA", "a%2F1", "....", "A" * 5000):
        reply = raw(server, "GET", f"/{tree}?continuation-token={token}&list-type=2")
        assert reply.status == 400 and reply.code == "InvalidArgument", (token, reply)


def test_url_encoding(server, s3, bucket):
    for key in ("a b", "c+d", "e/f", "ü", "g%h", "i*~()'!"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    text = raw(server, "GET", f"/{bucket}?delimiter=%2F&encoding-type=url&list-type=2").body.decode()
    assert "<EncodingType>url</EncodingType>" in text
    assert "<Key>a+b</Key>" in text or "<Key>a%20b</Key>" in text
    for piece in ("<Key>c%2Bd</Key>", "<Prefix>e/</Prefix>", "<Key>%C3%BC</Key>", "<Key>g%25h</Key>"):
        assert piece in text, piece
    assert raw(server, "GET", f"/{bucket}?encoding-type=rot13").code == "InvalidArgument"


def test_fields(s3, tree):
    item = s3.list_objects_v2(Bucket=tree, Prefix="a/1", FetchOwner=True)["Contents"][0]
    head = s3.head_object(Bucket=tree, Key="a/1")
    assert item["ETag"] == head["ETag"] and item["Size"] == 3 and item["StorageClass"] == "STANDARD"
    assert item["LastModified"].replace(microsecond=0) == head["LastModified"]
    assert item["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket=tree, Prefix="a/1")["Contents"][0]
    assert "Owner" in s3.list_objects(Bucket=tree, Prefix="a/1")["Contents"][0]


def test_pages_among_many_delete_markers(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(60):
        s3.put_object(Bucket=bucket, Key=f"{number:03}", Body=b"")
    hidden = [f"{number:03}" for number in range(60) if number % 10 != 9]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in hidden]})
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=4)
    assert [entry["Key"] for entry in first["Contents"]] == ["009", "019", "029", "039"] and first["IsTruncated"]
    rest = s3.list_objects_v2(Bucket=bucket, MaxKeys=4, ContinuationToken=first["NextContinuationToken"])
    assert [entry["Key"] for entry in rest["Contents"]] == ["049", "059"] and not rest["IsTruncated"]


def test_random_keys_against_the_model(s3, bucket):
    generator = random.Random(20260224)
    alphabet = ["a", "b", "/", "-", ".", "é", "\x01", "😀", "\u0800"]
    keys = {"".join(generator.choice(alphabet) for _ in range(generator.randint(1, 5))) for _ in range(120)}
    for key in sorted(keys):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for number in range(60):
        prefix = "".join(generator.choice(alphabet) for _ in range(generator.choice([0, 0, 1, 1, 2])))
        delimiter = generator.choice(["", "/", "-", "a", "//", "é"])
        seen = []
        paginator = s3.get_paginator("list_objects_v2")
        for page in paginator.paginate(
            Bucket=bucket, Prefix=prefix, Delimiter=delimiter,
            PaginationConfig={"PageSize": generator.choice([1, 2, 7, 100])},
        ):
            seen += entries(page)
        assert seen == model(keys, prefix, delimiter), (number, prefix, delimiter)


def test_listing_and_reading_agree(s3, bucket):
    generator = random.Random(7)
    alive = {}
    for step in range(300):
        key = f"{generator.choice('abc')}/{generator.randint(0, 12)}"
        if generator.random() < 0.6:
            alive[key] = str(step).encode()
            s3.put_object(Bucket=bucket, Key=key, Body=alive[key])
        else:
            alive.pop(key, None)
            s3.delete_object(Bucket=bucket, Key=key)
    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert listed == sorted(alive)
    for key in (f"{letter}/{number}" for letter, number in itertools.product("abc", range(13))):
        if key in alive:
            assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == alive[key]
        else:
            assert error_of(lambda: s3.get_object(Bucket=bucket, Key=key))[0] == 404
