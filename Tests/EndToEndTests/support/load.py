"""Requests that go on while something else happens, and what became of them."""

import http.client
import os
import threading
import time

from support.light import NotSent


class Load:
    """Clients that put and read back, some large, until it is stopped. Every failure is kept.

    `moves`: as every S3 client does, they go to another node where a connection is refused or breaks off before an answer."""

    def __init__(self, nodes, bucket, clients=4, large_every=40, moves=False):
        self.failures, self.count = [], 0
        # By path, what was acknowledged last.
        self.written = {}
        self._nodes, self._moves = nodes, moves
        self.slowest_seconds = 0.0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._bucket, self._large_every = bucket, large_every
        self._large = os.urandom(300_000)
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"

    def wait_for(self, more, seconds=60):
        """Until so many more requests were answered."""
        target, deadline = self.count + more, time.monotonic() + seconds
        while self.count < target:
            assert time.monotonic() < deadline, f"{self.count} of {target} requests: {self.failures[:3]}"
            time.sleep(0.02)

    def _run(self, number):
        place, turn = number % len(self._nodes), 0
        client = self._nodes[place].client(timeout=30)
        while not self._stop.is_set():
            turn += 1
            path = f"/{self._bucket}/load/{number}/{turn % 50}"
            body = self._large if turn % self._large_every == 0 else f"{number}-{turn}".encode()
            for method, sent in (("PUT", body), ("GET", b"")):
                began, left = time.monotonic(), 2 * len(self._nodes) if self._moves else 0
                while True:
                    try:
                        reply = client.request(method, path, body=sent)
                        problem = None if reply.status == 200 and (method == "PUT" or reply.body == body) else f"{reply}"
                    except (OSError, http.client.HTTPException) as error:
                        if left and isinstance(error, (NotSent, ConnectionError, http.client.HTTPException)):
                            left, place = left - 1, (place + 1) % len(self._nodes)
                            client = self._nodes[place].client(timeout=30)
                            continue
                        problem = repr(error)
                    break
                with self._lock:
                    self.count += 1
                    self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
                    if not problem:
                        self.written[path] = body
                    else:
                        self.failures.append(f"node {self._nodes[place].number}: {method} {path}: {problem[:300]}")
            time.sleep(0.005)
