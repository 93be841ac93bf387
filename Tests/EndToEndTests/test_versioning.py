"""Versioning: enabled, suspended, null versions, delete markers."""

import os
import random

from support.clients import error_of


def versions_of(s3, bucket, **arguments):
    """(key, version, is latest, is marker), in listing order of each kind, merged by key and age."""
    page = s3.list_object_versions(Bucket=bucket, **arguments)
    found = [(v["Key"], v["VersionId"], v["IsLatest"], False) for v in page.get("Versions", [])]
    found += [(m["Key"], m["VersionId"], m["IsLatest"], True) for m in page.get("DeleteMarkers", [])]
    return found


def switch(s3, bucket, status):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


def test_never_versioned(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert "VersionId" not in put
    assert versions_of(s3, bucket) == [("k", "null", True, False)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"1"
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k", VersionId="garbage!"))[:2] == (400, "InvalidArgument")


def test_versions_and_markers(s3, bucket):
    switch(s3, bucket, "Enabled")
    bodies = [os.urandom(size) for size in (10, 200_000, 0, 3_000_000)]
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in bodies]
    assert len(set(ids)) == 4 and "null" not in ids
    assert [entry[1] for entry in versions_of(s3, bucket)] == ids[::-1]
    for version, body in zip(ids, bodies):
        got = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
        assert got["Body"].read() == body and got["VersionId"] == version
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True and marker["VersionId"] not in ids
    status, code, response = error_of(lambda: s3.get_object(Bucket=bucket, Key="k"))
    assert (status, code) == (404, "NoSuchKey")
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert response["ResponseMetadata"]["HTTPHeaders"]["x-amz-version-id"] == marker["VersionId"]
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"]))[:2] == (405, "MethodNotAllowed")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert error_of(lambda: s3.delete_bucket(Bucket=bucket))[:2] == (409, "BucketNotEmpty")
    undone = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert undone["DeleteMarker"] is True
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == bodies[-1]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[3])
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == ids[2]
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k", VersionId=ids[3]))[:2] == (404, "NoSuchVersion")


def test_null_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    switch(s3, bucket, "Enabled")
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    switch(s3, bucket, "Suspended")
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"suspended")
    assert put.get("VersionId") in (None, "null")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"suspended"
    assert [(entry[1], entry[2]) for entry in versions_of(s3, bucket)] == [("null", True), (first, False)]
    s3.put_object(Bucket=bucket, Key="k", Body=b"again")
    assert len(versions_of(s3, bucket)) == 2
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True and marker["VersionId"] == "null"
    assert sorted(versions_of(s3, bucket)) == sorted([("k", first, False, False), ("k", "null", True, True)])
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    switch(s3, bucket, "Enabled")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["VersionId"]
    assert [entry[1] for entry in versions_of(s3, bucket)] == [second, first]


def test_listing_versions_in_pages(s3, bucket):
    switch(s3, bucket, "Enabled")
    expected = []
    for key in ("a", "b/1", "b/2", "c"):
        ids = [s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"] for _ in range(5)]
        expected += [(key, version) for version in reversed(ids)]
    for size in (1, 2, 3, 7, 20, 100):
        seen, arguments = [], {}
        while True:
            page = s3.list_object_versions(Bucket=bucket, MaxKeys=size, **arguments)
            found = [(entry["Key"], entry["VersionId"]) for entry in page.get("Versions", [])]
            assert found and len(found) <= size
            seen += found
            if not page["IsTruncated"]:
                break
            arguments = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
        assert seen == expected
    folded = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["b/"] and len(folded["Versions"]) == 10


def test_random_histories_against_a_model(s3, bucket):
    """Puts, deletes and version deletes at random, in all three states; the model is a list a key."""
    generator = random.Random(99)
    state, model = "Unversioned", {key: [] for key in "xyz"}  # newest first: (id, body or None for a marker)
    for step in range(250):
        key, dice = generator.choice("xyz"), generator.random()
        history = model[key]
        if dice < 0.04:
            state = generator.choice(["Enabled", "Suspended"])
            switch(s3, bucket, state)
        elif dice < 0.55:
            body = str(step).encode()
            version = s3.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId") or "null"
            if version == "null":
                history[:] = [entry for entry in history if entry[0] != "null"]
            history.insert(0, (version, body))
        elif dice < 0.75 or not history:
            reply = s3.delete_object(Bucket=bucket, Key=key)
            if state == "Unversioned":
                history.clear()
            else:
                version = reply["VersionId"]
                assert reply["DeleteMarker"] is True
                if version == "null":
                    history[:] = [entry for entry in history if entry[0] != "null"]
                history.insert(0, (version, None))
        else:
            version = generator.choice(history)[0]
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version)
            history[:] = [entry for entry in history if entry[0] != version]
        if step % 25 == 24:
            listed = versions_of(s3, bucket)
            assert sorted(listed) == sorted(
                (key, version, position == 0, body is None)
                for key in model for position, (version, body) in enumerate(model[key])
            ), step
            visible = [key for key in sorted(model) if model[key] and model[key][0][1] is not None]
            assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])] == visible
    for key, history in model.items():
        for version, body in history:
            if body is not None:
                assert s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read() == body
