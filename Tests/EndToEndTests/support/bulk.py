"""Puts many small objects fast: requests are signed ahead, and sent many at a time on a few connections."""

import socket
import threading

from support.light import LightClient

CONNECTIONS = 16
PIPELINE = 25


def put_many(port, bucket, names, body=b""):
    """Puts `body` under each name. Fails at the first reply that is not 200."""
    failures = []

    def work(part):
        try:
            Pipeline(port, bucket, body).put(part)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(names[index::CONNECTIONS],)) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class Pipeline:
    def __init__(self, port, bucket, body):
        self.port, self.bucket, self.body = port, bucket, body
        self.signer = LightClient(port)
        self.count = max(1, min(PIPELINE, (1 << 20) // (len(body) + 1)))

    def put(self, names):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            replies = connection.makefile("rb")
            for start in range(0, len(names), self.count):
                part = names[start : start + self.count]
                connection.sendall(b"".join(self.message(name) for name in part))
                for name in part:
                    self.expect_success(replies, name)

    def message(self, name):
        target, fields = f"/{self.bucket}/{name}", {"host": f"127.0.0.1:{self.port}"}
        self.signer.sign("PUT", target, "", self.body, fields)
        fields["content-length"] = str(len(self.body))
        head = "".join(f"{field}: {value}\r\n" for field, value in fields.items())
        return f"PUT {target} HTTP/1.1\r\n{head}\r\n".encode() + self.body

    @staticmethod
    def expect_success(replies, name):
        status = replies.readline()
        length = 0
        while (line := replies.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        text = replies.read(length)
        if b" 200 " not in status:
            raise AssertionError(f"PUT {name}: {status!r} {text!r}")
