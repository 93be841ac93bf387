"""An S3 client of one connection, so cheap that what is measured is the server: a raw socket, signatures by hand."""

import hashlib
import hmac
import socket
import time
import urllib.parse

ACCESS_KEY = SECRET_KEY = "rustfsadmin"
REGION = "us-east-1"
PIECE = 1 << 20
# The server closes connections that say nothing for a minute.
IDLE_SECONDS = 30


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class S3Client:
    def __init__(self, address):
        self.host = f"{address[0]}:{address[1]}"
        self.address = address
        self.socket = None
        self.used = 0.0
        self.piece = memoryview(bytearray(PIECE))
        self._connect()

    def _connect(self):
        if self.socket:
            self.socket.close()
        self.socket = socket.create_connection(self.address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _send_head(self, head):
        if self.used and time.monotonic() - self.used > IDLE_SECONDS:
            self._connect()
        self.socket.sendall(head)

    def close(self):
        self.socket.close()

    def _head(self, method, path, query, length):
        """The head of a request whose payload is not signed (Signature Version 4, "Authorization header")."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
        names = "host;x-amz-content-sha256;x-amz-date"
        canonical = (
            f"{method}\n{path}\n{query}\nhost:{self.host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n"
            f"x-amz-date:{stamp}\n\n{names}\nUNSIGNED-PAYLOAD"
        )
        key = ("AWS4" + SECRET_KEY).encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = _hmac(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hex()
        content_length = f"Content-Length: {length}\r\n" if length is not None else ""
        target = f"{path}?{query}" if query else path
        return (
            f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
            f"x-amz-date: {stamp}\r\n{content_length}Authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}\r\n\r\n"
        ).encode()

    def _read_answer(self):
        """Reads a head; its status, its fields, and what has come of the body with it."""
        self.used = time.monotonic()
        data = bytearray()
        while (end := data.find(b"\r\n\r\n")) < 0:
            received = self.socket.recv(65536)
            if not received:
                raise ConnectionError(f"closed after {bytes(data)!r}")
            data += received
        head = bytes(data[:end]).decode("latin-1")
        lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split(" ")[1]), fields, data[end + 4 :]

    def _read_head(self):
        """As above of an answer that must tell success; what has come of the body with it, and the whole body's length."""
        status, fields, body = self._read_answer()
        if "content-length" not in fields and status != 204:
            raise ConnectionError(f"an answer without Content-Length: {status} {fields}")
        if status // 100 != 2:
            raise ConnectionError(f"{status} {fields}\n{bytes(body)!r}")
        return body, int(fields.get("content-length", 0))

    def status(self, method, path, body=b""):
        """The status of the answer, whatever it is; for PUT, and for HEAD, whose answers have no body."""
        self._send_head(self._head(method, path, "", len(body) if method == "PUT" else None) + body)
        status, fields, start = self._read_answer()
        left = 0 if method == "HEAD" else int(fields.get("content-length", 0)) - len(start)
        while left > 0:
            left -= len(self.socket.recv(left)) or left
        return status

    def request(self, method, path, query="", length=None):
        """The body of the answer."""
        self._send_head(self._head(method, path, query, length))
        start, length = self._read_head()
        body = bytearray(length)
        body[: len(start)] = start
        view, position = memoryview(body), len(start)
        while position < length:
            count = self.socket.recv_into(view[position:])
            if not count:
                raise ConnectionError("closed within a body")
            position += count
        return body

    def create_bucket(self, bucket):
        self.request("PUT", f"/{bucket}", length=0)

    def pages(self, bucket, delimiter=None):
        """Lists everything by pages of 1,000 (ListObjectsV2); yields the bytes of each."""
        token = None
        while True:
            # In the order of their names, as the canonical request wants them.
            query = "" if token is None else "continuation-token=" + urllib.parse.quote(token, safe="-_.~") + "&"
            query += "" if delimiter is None else "delimiter=" + urllib.parse.quote(delimiter, safe="") + "&"
            page = self.request("GET", f"/{bucket}", query + "list-type=2&max-keys=1000")
            yield page
            start = page.find(b"<NextContinuationToken>")
            if start < 0:
                return
            start += len(b"<NextContinuationToken>")
            token = bytes(page[start : page.find(b"<", start)]).decode()

    def put_long(self, path, length):
        """Puts zeros, one piece at a time."""
        self._send_head(self._head("PUT", path, "", length))
        while length:
            piece = self.piece[: min(length, PIECE)]
            self.socket.sendall(piece)
            length -= len(piece)
        body, length = self._read_head()
        if len(body) != length:
            raise ConnectionError("a PUT answered with a body")

    def get_long(self, path):
        """Reads an object without keeping it; its length."""
        self._send_head(self._head("GET", path, "", None))
        body, length = self._read_head()
        position = len(body)
        while position < length:
            count = self.socket.recv_into(self.piece)
            if not count:
                raise ConnectionError("closed within a body")
            position += count
        return position
