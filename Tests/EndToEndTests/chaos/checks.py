"""What must hold when everything is healed."""

import http.client
import subprocess
import time

from support.cluster import ROOT, wait_until

from chaos.workload import BUCKETS

SIMULATE = ROOT / ".build" / "release" / "rustfs-simulate"
READER = -1


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
