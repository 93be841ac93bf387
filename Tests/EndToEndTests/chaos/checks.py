"""What must hold when everything is healed."""

import http.client
import subprocess
import time

from support.bodies import describe, differing, same_bodies
from support.cluster import ROOT, wait_until

from chaos import bodies
from chaos.workload import BUCKETS

SIMULATE = ROOT / ".build" / "release" / "rustfs-simulate"
READER = -1
# For repairs, the grace time of what nothing names, and a round of the scrub.
BODY_SECONDS = 120


def ask(client, *arguments, **options):
    """A request that must succeed in the end: all faults are over. 404 is an answer."""
    def answer():
        try:
            reply = client.request(*arguments, **options)
        except (OSError, http.client.HTTPException):
            return None
        return reply if reply.status in (200, 404) else None

    return wait_until(answer, 30, f"an answer to {arguments}")


def read_everything(nodes, history, used):
    """Reads each object that was ever written, in turns on all nodes, into the history. Returns what is there."""
    clients = [node.client() for node in nodes]
    found = {}
    for index, (bucket, key) in enumerate(sorted(used)):
        invoked = time.monotonic_ns()
        reply = ask(clients[index % len(clients)], "GET", f"/{bucket}/{key}")
        value = history.value_of(reply) if reply.status == 200 else None
        history.add_read(READER, bucket, key, invoked, time.monotonic_ns(), value)
        if value is not None:
            found[bucket, key] = value
    return found


def check_listings(nodes, history, found):
    """On every node the listing is what the reads said, page by page."""
    for node in nodes:
        client, listed = node.client(), {}
        for bucket in BUCKETS:
            after = ""
            while True:
                reply = ask(client, "GET", f"/{bucket}", query=f"list-type=2&max-keys=100&start-after={after.replace('/', '%2F')}")
                page = history.listed(reply.body.decode())
                listed.update({(bucket, key): value for key, value in page})
                if not page:
                    break
                after = page[-1][0]
        if listed != found:
            differing = sorted(set(listed.items()) ^ set(found.items()))
            history.violation(f"the listing of node {node.number} differs from what is read: {differing[:10]}")


def abort_uploads(node):
    """Ends what clients have begun and not completed; returns how many there were."""
    client, count = node.client(), 0
    while True:
        text = ask(client, "GET", f"/{bodies.BUCKET}", query="uploads=").body.decode()
        uploads = text.split("<Upload>")[1:]
        for upload in uploads:
            key, number = (upload.split(f"<{name}>")[1].split("<")[0] for name in ("Key", "UploadId"))
            ask(client, "DELETE", f"/{bodies.BUCKET}/{key}", query=f"uploadId={number}")
        count += len(uploads)
        if not uploads:
            return count


def check_bodies(cluster, nodes, history, load):
    """On every node each key of a large body has what it may have, the same, and each disk has its bodies, whole, and no others."""
    aborted = abort_uploads(nodes[0])
    clients, present, files, total = [node.client(timeout=60) for node in nodes], 0, 0, 0
    for key in load.keys:
        replies = [ask(client, "GET", key.path) for client in clients]
        found = {bodies.check(history, key, reply) for reply in replies}
        if len(found) > 1:
            history.violation(f"{key.path} has {found}, on different nodes")
        if replies[0].status == 200:
            present += 1
            total += len(replies[0].body)
            # The number of parts, where there are some, ends the entity tag.
            files += int(replies[0].etag.partition("-")[2] or 1)

    def are_whole():
        # A file may go while it is compared.
        try:
            found = same_bodies(nodes, files)
            return found is not None and not differing(found)
        except OSError:
            return False

    try:
        wait_until(are_whole, BODY_SECONDS, lambda: f"{files} whole bodies on each node: {describe(nodes)}")
    except AssertionError as error:
        history.violation(str(error))
    return f"{len(load.keys)} keys, {present} objects of {total} bytes in {files} files on each node; {aborted} uploads were not completed"


def check_linearizability(history):
    """(passed, what the checker says). A checker that gives up has not passed."""
    result = subprocess.run([str(SIMULATE), "linearize", str(history.path)], capture_output=True, text=True)
    return result.returncode == 0, (result.stdout + result.stderr).strip()


def check_everything(cluster, nodes, history, load):
    """All that can be asked of healed nodes and their clients' history. Returns (index, digest, what the checker says, problems)."""
    found = read_everything(nodes, history, load.used)
    check_listings(nodes, history, found)
    index, digest = cluster.wait_until_equal(120, nodes)
    history.close()
    passed, verdict = check_linearizability(history)
    problems = list(history.violations)
    if not passed:
        problems.append(f"the history is not known to be linearizable: {verdict}")
    return index, digest, verdict, problems
