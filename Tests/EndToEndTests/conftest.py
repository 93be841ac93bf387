"""Fixtures that run the real server binary and give real clients for it.

RUSTFS_BINARY names the server (default: the release build of this checkout). Every server gets a fresh
directory and asks for port 0; its addresses are read from what it prints.
"""

import itertools
import os
import pathlib
import shutil
import tempfile

import pytest

from support.clients import make_client
from support.cluster import Cluster
from support.server import Server, write_configuration

_names = itertools.count(1)


@pytest.fixture(scope="session")
def workspace():
    path = pathlib.Path(tempfile.mkdtemp(prefix="rustfs-e2e-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def server(workspace):
    """One server that most tests share; tests keep apart by their bucket names."""
    instance = Server(workspace / "shared", configuration=write_configuration(workspace / "shared.yaml"))
    instance.start()
    yield instance
    instance.stop()
    assert instance.return_code == 0, instance.log_tail()


@pytest.fixture
def own_server(workspace):
    """A server of the test's own, not yet started; it may be killed, damaged and restarted."""
    number = next(_names)
    instance = Server(
        workspace / f"own-{number}", configuration=write_configuration(workspace / f"own-{number}.yaml")
    )
    yield instance
    instance.kill()
    shutil.rmtree(instance.data, ignore_errors=True)


@pytest.fixture
def own_cluster(workspace):
    """Makes clusters of the test's own, not yet started; their data goes with the test."""
    made = []

    def make(count=3, **options):
        made.append(Cluster(workspace / f"cluster-{next(_names)}", count, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
        shutil.rmtree(each.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def s3(server):
    return make_client(server)


@pytest.fixture(scope="session")
def alice(server):
    return make_client(server, "alice")


@pytest.fixture(scope="session")
def bob(server):
    return make_client(server, "bob")


@pytest.fixture
def bucket(s3):
    """A new bucket of the root user, emptied and removed afterwards."""
    name = f"bucket-{os.getpid()}-{next(_names)}"
    s3.create_bucket(Bucket=name)
    yield name
    empty_bucket(s3, name)
    s3.delete_bucket(Bucket=name)


def empty_bucket(client, name):
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
            client.delete_object(Bucket=name, Key=entry["Key"], VersionId=entry["VersionId"])
