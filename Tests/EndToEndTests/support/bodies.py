"""Bodies of large objects in a cluster: their files under the nodes' data directories, and uploads that are sent piece by piece."""

import filecmp
import hashlib
import http.client
import os
import pathlib
import socket
import urllib.parse

from support.cluster import wait_until
from support.light import LightClient, Reply

# docs/formats/body.md; what is longer than the inline size gets a file.
INLINE_BYTES = 128 * 1024
HEADER_BYTES, BLOCK_BYTES, CHECKSUM_BYTES, TRAILER_BYTES = 4096, 131_072, 4, 44
ID_DIGITS = 32


def _files(node):
    root = node.data / "metadata" / "mx"
    for directory, _, names in os.walk(root):
        for name in names:
            yield pathlib.Path(directory), name


def bodies(node):
    """The files of whole bodies, by the bodies' ids."""
    return {name: directory / name for directory, name in _files(node) if len(name) == ID_DIGITS and directory.name != "tmp"}


def half_written(node):
    """How many bytes each body has that is being written."""
    sizes = {}
    for directory, name in _files(node):
        if directory.name == "tmp":
            try:
                sizes[name] = (directory / name).stat().st_size
            except FileNotFoundError:
                pass
    return sizes


def content(path):
    """What a body's file holds, if it is as long as a file of a body is."""
    data = pathlib.Path(path).read_bytes()
    blocks = (len(data) - HEADER_BYTES - TRAILER_BYTES + BLOCK_BYTES + CHECKSUM_BYTES - 1) // (BLOCK_BYTES + CHECKSUM_BYTES)
    return data[HEADER_BYTES : len(data) - TRAILER_BYTES - blocks * CHECKSUM_BYTES]


def flip(path, offset):
    """Damages one byte in place; doing it again undoes it. A negative offset is counted from the end."""
    with open(path, "r+b") as file:
        position = file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x40]))


def flip_block(path, block, offset=11):
    flip(path, HEADER_BYTES + block * BLOCK_BYTES + offset)


NUMBER_BYTES = 16


def self_describing(number, size):
    """The only content of this number and size: it begins with the number, and tells whether it is whole."""
    seed = f"{number}/{size}".encode()
    return number.to_bytes(NUMBER_BYTES, "big") + hashlib.shake_128(seed).digest(size - NUMBER_BYTES)


def number_in(body):
    """The number of a content as above; None if it is none, or not whole."""
    number = int.from_bytes(body[:NUMBER_BYTES], "big")
    return number if len(body) >= NUMBER_BYTES and body == self_describing(number, len(body)) else None


def status(node):
    """What the node says of its bodies; None while it says nothing."""
    document = node.status()
    return document and document["bodies"]


def metric(node, name):
    text = node.admin("/metrics")[1]
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"rustfs_metadata_bodies_{name} ")))


def same_bodies(nodes, count=None):
    """The files of each node, if all have the same bodies, as many as `count`, none is missing and nothing half written; else None."""
    found = [bodies(node) for node in nodes]
    is_same = all(each.keys() == found[0].keys() for each in found) and count in (None, len(found[0]))
    if not is_same or any(half_written(node) for node in nodes):
        return None
    return found if all((status(node) or {}).get("missing") == 0 for node in nodes) else None


def differing(found):
    """Files of `same_bodies` whose bytes are not those of the first node's."""
    return [
        other[name] for name, path in found[0].items() for other in found[1:] if not filecmp.cmp(path, other[name], shallow=False)]


def wait_for_same_bodies(nodes, count=None, seconds=60):
    """Waits for `same_bodies` and returns them; then no byte may differ."""
    found = wait_until(lambda: same_bodies(nodes, count), seconds, lambda: f"{count} bodies on each node: {describe(nodes)}")
    assert differing(found) == []
    return found


def describe(nodes):
    return {node.number: (sorted(bodies(node)), sorted(half_written(node)), status(node)) for node in nodes}


def wait_for_no_bodies(nodes, seconds=30):
    wait_until(
        lambda: not any(bodies(node) or half_written(node) for node in nodes), seconds,
        lambda: f"no bodies: {[(node.number, sorted(bodies(node)), half_written(node)) for node in nodes]}")


def get(node, path, first=None, last=None, **options):
    """A GET, of a range if both ends are given. A transfer that breaks is an `http.client.HTTPException` or an OSError."""
    headers = {} if first is None else {"Range": f"bytes={first}-{last}"}
    return node.client(timeout=60).request("GET", path, headers=headers, **options)


def put(node, path, body, headers=None, **options):
    return node.client(timeout=60).request("PUT", path, body=body, headers=headers, **options)


def new_upload(node, path):
    reply = node.client().request("POST", path, query="uploads=")
    assert reply.status == 200, reply
    return reply.body.decode().split("<UploadId>")[1].split("</UploadId>")[0]


def put_part(node, path, upload, number, body):
    """The part's entity tag."""
    reply = put(node, path, body, query=f"partNumber={number}&uploadId={upload}")
    assert reply.status == 200, reply
    return reply.etag


def complete_upload(node, path, upload, tags):
    """`tags` are the parts' entity tags by number."""
    parts = "".join(f'<Part><PartNumber>{number}</PartNumber><ETag>"{tag}"</ETag></Part>' for number, tag in sorted(tags.items()))
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    return node.client(timeout=60).request("POST", path, query=f"uploadId={upload}", body=document)


class PiecewisePut:
    """A PUT whose body is sent when the test wants it to be. `length` is what it announces."""

    def __init__(self, node, path, length, headers=None, payload="UNSIGNED-PAYLOAD"):
        target = urllib.parse.quote(path, safe="/-_.~")
        fields = {"host": f"127.0.0.1:{node.s3_port}", **{name.lower(): value for name, value in (headers or {}).items()}}
        LightClient(node.s3_port).sign("PUT", target, "", b"", fields, payload)
        fields["content-length"] = str(length)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket = socket.create_connection(("127.0.0.1", node.s3_port), timeout=60)
        self.socket.sendall(f"PUT {target} HTTP/1.1\r\n{head}\r\n".encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def end(self):
        """Says that nothing more will come."""
        self.socket.shutdown(socket.SHUT_WR)

    def reply(self):
        response = http.client.HTTPResponse(self.socket, method="PUT")
        response.begin()
        return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def close(self):
        self.socket.close()
