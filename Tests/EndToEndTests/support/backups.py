"""Snapshots as files: asked for of a running node, looked at and restored by the program itself."""

import http.client
import json
import subprocess

from support.cluster import BINARY, ENVIRONMENT, wait_until


def ask(node, document, content_type="application/json", path="/metadata/snapshots"):
    """Status and answer of `POST /metadata/snapshots`."""
    connection = http.client.HTTPConnection("127.0.0.1", node.admin_port, timeout=10)
    try:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        connection.request("POST", path, body=body, headers={"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def progress(node):
    code, text = node.admin("/metadata/snapshots")
    assert code == 200, text
    return json.loads(text)


def create(node, path, with_data=True, seconds=120, **options):
    """Has a node write a snapshot, and waits for its end; what the node says of it then."""
    status, answer = ask(node, {"path": str(path), "with_data": with_data, **options})
    assert status == 200 and answer["state"] in ("running", "done"), answer
    found = wait_until(lambda: (now := progress(node))["state"] != "running" and now, seconds, "the snapshot is written")
    assert found["state"] == "done", found
    assert found["path"] == str(path) and found["bytes_done"] == found["bytes_total"] == path.stat().st_size
    return found


def run(*arguments, prefix=()):
    """Runs the program; its end, with what it said."""
    return subprocess.run(
        [*prefix, str(BINARY), *map(str, arguments)], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300,
    )


def inspect(path, *arguments):
    done = run("snapshot", "inspect", "--path", path, "--output", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def restore(path, data, *arguments):
    return run("restore", "--path", path, "--data-dir", data, *arguments)
