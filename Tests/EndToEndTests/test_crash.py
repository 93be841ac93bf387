"""`kill -9` at any instant loses no acknowledged write; LIST, GET and the counters agree afterwards."""

import hashlib
import os
import random
import re
import threading

from support.clients import make_client
from support.server import wait_for

BUCKET = "crash"


class Writer(threading.Thread):
    """Puts, overwrites, deletes and uploads over its own keys, and remembers what was acknowledged.

    `known[key]` is the set of states the key may be in: one after an acknowledgement, more while the outcome of a request
    that broke off is unknown. A state is the SHA-256 of the body, or None for "not there".
    """

    def __init__(self, server, number, seed):
        super().__init__(daemon=True)
        self.client = make_client(server)
        self.number, self.generator = number, random.Random(seed)
        self.known, self.stopped, self.acknowledged = {}, threading.Event(), 0

    def run(self):
        while not self.stopped.is_set():
            key = f"w{self.number}/{self.generator.randint(0, 15):02}"
            states = self.known.setdefault(key, {None})
            dice = self.generator.random()
            try:
                if dice < 0.25:
                    target = None
                    states.add(target)
                    self.client.delete_object(Bucket=BUCKET, Key=key)
                elif dice < 0.35:
                    body = os.urandom(5 * 1024 * 1024 + 100)
                    target = hashlib.sha256(body).hexdigest()
                    states.add(target)
                    upload = self.client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
                    parts = []
                    for number, piece in ((1, body[: 5 * 1024 * 1024]), (2, body[5 * 1024 * 1024 :])):
                        reply = self.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)
                        parts.append({"PartNumber": number, "ETag": reply["ETag"]})
                    self.client.complete_multipart_upload(
                        Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
                    )
                else:
                    body = os.urandom(self.generator.choice([10, 1000, 100_000, 300_000]))
                    target = hashlib.sha256(body).hexdigest()
                    states.add(target)
                    self.client.put_object(Bucket=BUCKET, Key=key, Body=body)
                self.known[key] = {target}
                self.acknowledged += 1
            except Exception:  # the server was killed: what was under way may or may not have happened
                if not self.stopped.wait(0.01):
                    continue


def counters(server):
    """The per-bucket figures as the admin address shows them."""
    _, text = server.admin("/metrics")
    found = {}
    for name in ("objects", "versions", "bytes"):
        match = re.search(rf'^rustfs_metadata_bucket_{name}{{[^}}]*bucket="{BUCKET}"[^}}]*}} ([0-9.e+]+)$', text, re.MULTILINE)
        assert match, f"no bucket counter {name} in /metrics"
        found[name] = int(float(match.group(1)))
    return found


def check(server, writers):
    client = make_client(server)
    listed = {
        entry["Key"]: entry["Size"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 50})
        for entry in page.get("Contents", [])
    }
    for writer in writers:
        for key, states in writer.known.items():
            if key in listed:
                body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                assert len(body) == listed[key]
                state = hashlib.sha256(body).hexdigest()
            else:
                state = None
            assert state in states, f"{key}: found {state}, acknowledged {states}"
            writer.known[key] = {state}
    every = {key for writer in writers for key in writer.known}
    assert set(listed) <= every
    assert counters(server) == {"objects": len(listed), "versions": len(listed), "bytes": sum(listed.values())}
    return len(listed)


def test_kill_loop(own_server):
    generator = random.Random(20261124)
    own_server.start()
    make_client(own_server).create_bucket(Bucket=BUCKET)
    known, acknowledged = {}, 0
    for round_number in range(int(os.environ.get("RUSTFS_KILL_ROUNDS", "12"))):
        writers = [Writer(own_server, number, 1000 * round_number + number) for number in range(6)]
        for writer in writers:
            writer.known = known.get(writer.number, {})
            writer.start()
        least = generator.randint(5, 120)
        wait_for(lambda: sum(writer.acknowledged for writer in writers) >= least, timeout=60, what=f"{least} writes")
        own_server.kill()
        for writer in writers:
            writer.stopped.set()
        for writer in writers:
            writer.join(30)
            known[writer.number] = writer.known
        acknowledged += sum(writer.acknowledged for writer in writers)
        own_server.start()
        check(own_server, writers)
    assert acknowledged > 100
    client = make_client(own_server)
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET):
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    if keys:
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert counters(own_server) == {"objects": 0, "versions": 0, "bytes": 0}
    own_server.restart()
    wait_for(lambda: not own_server.body_files(), what="the sweep after the restart leaves no file")


def test_everything_is_there_after_a_clean_restart(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket=BUCKET)
    bodies = {f"k{size}": os.urandom(size) for size in (0, 100, 131_072, 131_073, 8_000_000)}
    for key, body in bodies.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata={"size": str(len(body))})
    assert own_server.stop() == 0
    own_server.start()
    client = make_client(own_server)
    assert {entry["Key"]: entry["Size"] for entry in client.list_objects_v2(Bucket=BUCKET)["Contents"]} == {
        key: len(body) for key, body in bodies.items()
    }
    for key, body in bodies.items():
        got = client.get_object(Bucket=BUCKET, Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"size": str(len(body))}


def test_overwrites_and_deletes_leave_no_body(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket=BUCKET)
    for number in range(5):
        client.put_object(Bucket=BUCKET, Key="k", Body=os.urandom(500_000 + number))
    wait_for(lambda: len(own_server.body_files()) == 1, what="one body is left of five")
    client.delete_object(Bucket=BUCKET, Key="k")
    wait_for(lambda: not own_server.body_files(), what="no body is left")


def test_a_damaged_body_is_an_error_and_never_wrong_bytes(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket=BUCKET)
    body = os.urandom(3_000_000)
    client.put_object(Bucket=BUCKET, Key="k", Body=body)
    (path,) = own_server.body_files()
    for offset in (2_000_000, 1_000_000, 200):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 0x40]))
        try:
            received = client.get_object(Bucket=BUCKET, Key="k")["Body"].read()
        except Exception:
            received = None
        assert received is None, "a damaged body was served as whole"
    client.put_object(Bucket=BUCKET, Key="other", Body=b"the server lives on")


def test_a_reader_keeps_what_it_reads(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket=BUCKET)
    body = os.urandom(60_000_000)
    client.put_object(Bucket=BUCKET, Key="k", Body=body)
    stream = client.get_object(Bucket=BUCKET, Key="k")["Body"]
    first = stream.read(1000)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"new")
    client.delete_object(Bucket=BUCKET, Key="k")
    assert first + stream.read() == body
    wait_for(lambda: not own_server.body_files(), what="the body goes when its reader has gone")


def test_conditional_puts_have_one_winner(own_server):
    own_server.start()
    client = make_client(own_server)
    client.create_bucket(Bucket=BUCKET)
    for number in range(10):
        winners, barrier = [], threading.Barrier(16)

        def put(contender):
            barrier.wait()
            try:
                client.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"%d" % contender, IfNoneMatch="*")
                winners.append(contender)
            except client.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed"

        threads = [threading.Thread(target=put, args=(contender,)) for contender in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1
        assert client.get_object(Bucket=BUCKET, Key=f"k{number}")["Body"].read() == b"%d" % winners[0]
