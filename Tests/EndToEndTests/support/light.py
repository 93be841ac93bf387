"""A light S3 client: signed requests over one kept connection, with the standard library alone."""

import hashlib
import hmac
import http.client
import socket
import time
import urllib.parse

REGION = "us-east-1"
SCOPE_END = f"/{REGION}/s3/aws4_request"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """The error code of an S3 error document; empty when there is none."""
        text = self.body.decode(errors="replace")
        return text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in text else ""

    @property
    def etag(self):
        return self.headers.get("etag", "").strip('"')

    def __repr__(self):
        return f"{self.status} {self.code or self.body[:200]!r}"


class NotSent(OSError):
    """There was no connection: the server cannot have seen anything of the request."""


class LightClient:
    """Not for several threads. A request that fails closes the connection; nothing is ever sent twice."""

    def __init__(self, port, host="127.0.0.1", access_key="rustfsadmin", secret_key="rustfsadmin", timeout=15):
        self.host, self.port, self.timeout = host, port, timeout
        self.access_key, self.secret_key = access_key, secret_key
        self._connection = None
        self._day, self._key = None, b""

    def request(self, method, path, query="", body=b"", headers=None):
        """`path` is not escaped yet, `query` is, with its parameters sorted. Raises OSError (`NotSent` among others) or HTTPException."""
        target = urllib.parse.quote(path, safe="/-_.~")
        fields = {"host": f"{self.host}:{self.port}", **{name.lower(): value for name, value in (headers or {}).items()}}
        self.sign(method, target, query, body, fields)
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            if self._connection.sock is None:
                try:
                    self._connection.connect()
                except OSError as error:
                    raise NotSent(str(error)) from error
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection.request(method, target + ("?" + query if query else ""), body=body, headers=fields)
            response = self._connection.getresponse()
            reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if response.will_close:
            self.close()
        return reply

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Signature Version 4.

    def sign(self, method, target, query, body, fields, payload=None):
        """Adds what a signed request needs to `fields`; `payload` is what is said of the body in place of its hash."""
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        day = timestamp[:8]
        payload = payload or hashlib.sha256(body).hexdigest()
        fields["x-amz-date"], fields["x-amz-content-sha256"] = timestamp, payload
        names = sorted(fields)
        signed = ";".join(names)
        canonical = "\n".join(
            [method, target, query, *(f"{name}:{fields[name].strip()}" for name in names), "", signed, payload]
        )
        text = "\n".join(
            ["AWS4-HMAC-SHA256", timestamp, day + SCOPE_END, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        signature = hmac.new(self._signing_key(day), text.encode(), hashlib.sha256).hexdigest()
        fields["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{day}{SCOPE_END}, SignedHeaders={signed}, Signature={signature}"
        )

    def _signing_key(self, day):
        if self._day != day:
            key = ("AWS4" + self.secret_key).encode()
            for part in (day, REGION, "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._day, self._key = day, key
        return self._key
