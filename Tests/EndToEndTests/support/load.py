"""Requests that go on while something else happens, and what became of them."""

import http.client
import os
import threading
import time


class Load:
    """Clients that put and read back, some large, until it is stopped. Every failure is kept."""

    def __init__(self, nodes, bucket, clients=4, large_every=40):
        self.failures, self.count = [], 0
        self.slowest_seconds = 0.0
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._bucket, self._large_every = bucket, large_every
        self._large = os.urandom(300_000)
        self._threads = [threading.Thread(target=self._run, args=(nodes[number % len(nodes)], number), daemon=True) for number in range(clients)]

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

    def _run(self, node, number):
        client, turn = node.client(timeout=30), 0
        while not self._stop.is_set():
            turn += 1
            path = f"/{self._bucket}/load/{number}/{turn % 50}"
            body = self._large if turn % self._large_every == 0 else f"{number}-{turn}".encode()
            for method, sent in (("PUT", body), ("GET", b"")):
                began = time.monotonic()
                try:
                    reply = client.request(method, path, body=sent)
                    problem = None if reply.status == 200 and (method == "PUT" or reply.body == body) else f"{reply}"
                except (OSError, http.client.HTTPException) as error:
                    problem = repr(error)
                with self._lock:
                    self.count += 1
                    self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
                    if problem:
                        self.failures.append(f"node {node.number}: {method} {path}: {problem[:300]}")
            time.sleep(0.005)
