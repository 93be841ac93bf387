"""The command-line clients that people use: awscli, s3cmd, rclone."""

import hashlib
import os
import pathlib
import subprocess
import sys

import pytest

from support.clients import REGION
from support.server import USERS

AWS = pathlib.Path(sys.executable).parent / "aws"


def run(command, environment=None, check=True):
    # rclone refuses to start where this is set.
    inherited = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=600,
        env={**inherited, **(environment or {})},
    )
    if check:
        assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


def digest(path):
    return hashlib.file_digest(open(path, "rb"), "sha256").hexdigest()


def tree_digest(root):
    root = pathlib.Path(root)
    return {str(path.relative_to(root)): digest(path) for path in sorted(root.rglob("*")) if path.is_file()}


def make_tree(root, count):
    root = pathlib.Path(root)
    for number in range(count):
        path = root / f"folder {number % 13}" / f"sub-{number % 7}" / f"file {number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number % 2000))
    (root / "ümlaut +%.txt").write_bytes(b"names")
    (root / "medium.bin").write_bytes(os.urandom(6 * 1024 * 1024 + 5))
    (root / "large.bin").write_bytes(os.urandom(20 * 1024 * 1024 + 17))
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree"), 300)


def test_awscli(server, tree, tmp_path):
    aws_environment = {
        "AWS_ACCESS_KEY_ID": USERS["root"][0], "AWS_SECRET_ACCESS_KEY": USERS["root"][1], "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.s3_url, "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_PAGER": "",
    }

    def aws(*words, check=True):
        return run([AWS, *words], aws_environment, check)

    aws("s3", "mb", "s3://aws-cli")
    aws("s3", "sync", tree, "s3://aws-cli/tree", "--only-show-errors")
    aws("s3", "sync", "s3://aws-cli/tree", tmp_path / "back", "--only-show-errors")
    assert tree_digest(tmp_path / "back") == tree_digest(tree)
    assert aws("s3", "sync", tree, "s3://aws-cli/tree").stdout == "", "a second sync has nothing to do"
    listing = aws("s3", "ls", "s3://aws-cli/tree/", "--recursive", "--summarize").stdout
    assert f"Total Objects: {len(tree_digest(tree))}" in listing
    assert "PRE folder 1/" in aws("s3", "ls", "s3://aws-cli/tree/").stdout
    # Above 8 MiB the client copies by UploadPartCopy.
    for name in ("medium.bin", "large.bin"):
        aws("s3", "cp", f"s3://aws-cli/tree/{name}", "s3://aws-cli/copy.bin", "--only-show-errors")
        aws("s3", "mv", "s3://aws-cli/copy.bin", tmp_path / "moved.bin", "--only-show-errors")
        assert digest(tmp_path / "moved.bin") == digest(tree / name)
    assert aws("s3", "ls", "s3://aws-cli/copy.bin", check=False).returncode == 1
    (tmp_path / "stream").write_bytes(b"from standard input")
    assert aws("s3", "cp", "s3://aws-cli/absent", "-", check=False).returncode == 1
    aws("s3api", "put-object", "--bucket", "aws-cli", "--key", "api", "--body", tmp_path / "stream", "--checksum-algorithm", "CRC32")
    assert "text/" not in aws("s3api", "head-object", "--bucket", "aws-cli", "--key", "api").stdout
    aws("s3", "rm", "s3://aws-cli", "--recursive", "--only-show-errors")
    assert aws("s3", "ls", "s3://aws-cli").stdout == ""
    aws("s3", "rb", "s3://aws-cli")
    assert aws("s3", "ls", "s3://aws-cli", check=False).returncode != 0


def test_s3cmd(server, tree, tmp_path):
    host, port = server.address
    base = [
        "s3cmd", "--config=/dev/null", f"--access_key={USERS['root'][0]}", f"--secret_key={USERS['root'][1]}", f"--host={host}:{port}",
        f"--host-bucket={host}:{port}/%(bucket)", "--no-ssl", "--no-progress", f"--region={REGION}",
    ]

    def s3cmd(*words, check=True):
        return run([*base, *words], check=check)

    s3cmd("mb", "s3://s3-cmd")
    assert "s3://s3-cmd" in s3cmd("ls").stdout
    s3cmd("sync", f"{tree}/", "s3://s3-cmd/tree/")
    s3cmd("sync", "s3://s3-cmd/tree/", f"{tmp_path}/back/")
    assert tree_digest(tmp_path / "back") == tree_digest(tree)
    assert len(s3cmd("ls", "--recursive", "s3://s3-cmd/").stdout.splitlines()) == len(tree_digest(tree))
    s3cmd("put", "--add-header=x-amz-meta-a:1", "--mime-type=text/x", tree / "large.bin", "s3://s3-cmd/large")
    information = s3cmd("info", "s3://s3-cmd/large").stdout
    assert "text/x" in information and "x-amz-meta-a" in information
    s3cmd("cp", "s3://s3-cmd/large", "s3://s3-cmd/large-2")
    s3cmd("get", "s3://s3-cmd/large-2", tmp_path / "large-2")
    assert digest(tmp_path / "large-2") == digest(tree / "large.bin")
    s3cmd("del", "--recursive", "--force", "s3://s3-cmd/")
    assert s3cmd("ls", "s3://s3-cmd/").stdout == ""
    assert s3cmd("get", "s3://s3-cmd/absent", tmp_path / "absent", check=False).returncode != 0
    s3cmd("rb", "s3://s3-cmd")


def test_rclone(server, tree, tmp_path):
    environment = {
        "RCLONE_CONFIG": str(tmp_path / "none"), "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Other",
        "RCLONE_CONFIG_S_ACCESS_KEY_ID": USERS["root"][0], "RCLONE_CONFIG_S_SECRET_ACCESS_KEY": USERS["root"][1],
        "RCLONE_CONFIG_S_ENDPOINT": server.s3_url, "RCLONE_CONFIG_S_REGION": REGION, "RCLONE_S3_CHUNK_SIZE": "5Mi",
        "RCLONE_S3_UPLOAD_CUTOFF": "8Mi",
    }

    def rclone(*words, check=True):
        return run(["rclone", *words], environment, check)

    rclone("mkdir", "S:r-clone")
    rclone("sync", tree, "S:r-clone/tree")
    rclone("check", tree, "S:r-clone/tree", "--download")
    rclone("sync", "S:r-clone/tree", tmp_path / "back")
    assert tree_digest(tmp_path / "back") == tree_digest(tree)
    assert f'"count":{len(tree_digest(tree))}' in rclone("size", "S:r-clone", "--json").stdout.replace(" ", "")
    rclone("copyto", "S:r-clone/tree/large.bin", "S:r-clone/copied.bin")
    assert rclone("cat", "S:r-clone/copied.bin", "--count", "10", "--offset", "5")
    rclone("copyto", "S:r-clone/copied.bin", tmp_path / "copied.bin")
    assert digest(tmp_path / "copied.bin") == digest(tree / "large.bin")
    os.utime(tree / "large.bin", (1_700_000_000, 1_700_000_000))
    rclone("sync", tree, "S:r-clone/tree")
    assert "2023-11-14" in rclone("lsl", "S:r-clone/tree/large.bin").stdout
    rclone("purge", "S:r-clone/tree")
    rclone("deletefile", "S:r-clone/copied.bin")
    rclone("rmdir", "S:r-clone")
    assert rclone("lsf", "S:r-clone", check=False).returncode != 0
