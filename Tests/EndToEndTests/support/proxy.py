"""The network between nodes: a process of its own that forwards their connections, and can delay, hold or cut each direction.

A node's peers reach it at its proxied port. Who dials is told by the hello behind the opening of a connection (docs/formats/peer-frames.md).
TCP repeats what a network loses, so that loss shows as bytes that come late and in order: a lossy link stalls, a dead one holds
everything until it is healed, and connections may be cut then.

Commands are lines of JSON on standard input, each answered by a line:
    {"rules": [{"from": 1, "to": 2, "hold": true, "delay_ms": [20, 80], "loss": 0.05}], "cut": [[1, 2]]}
All links without a rule are healthy.
"""

import asyncio
import json
import random
import struct
import subprocess
import sys
import threading

OPENING_BYTES = 4
HELLO_BYTES = OPENING_BYTES + 61
SENDER_OFFSET = OPENING_BYTES + 25
CHUNK_BYTES = 64 * 1024
# How much one direction of one connection keeps while it is delayed; the sender then sees a full socket.
QUEUE_CHUNKS = 64
LOSS_STALL_SECONDS = (0.2, 0.6)


class Network:
    def __init__(self, seed):
        self.rules, self.generator = {}, random.Random(seed)
        self.connections = set()
        self.changed = asyncio.Event()
        self.counts = {"connections": 0, "held_chunks": 0, "delayed_chunks": 0, "lost_chunks": 0, "cut_connections": 0}

    def apply(self, command):
        self.rules = {(rule["from"], rule["to"]): rule for rule in command.get("rules", [])}
        for pair in map(frozenset, command.get("cut", [])):
            for connection in [each for each in self.connections if each.pair == pair]:
                connection.cut()
                self.counts["cut_connections"] += 1
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
        return self.counts

    async def pass_through(self, link, since):
        """Returns when a chunk that was read at `since` may leave on this link."""
        counted = False
        while self.rules.get(link, {}).get("hold"):
            self.counts["held_chunks"] += not counted
            counted = True
            await self.changed.wait()
        rule = self.rules.get(link)
        if not rule:
            return
        delay = 0.0
        if "delay_ms" in rule:
            delay += self.generator.uniform(*rule["delay_ms"]) / 1000
            self.counts["delayed_chunks"] += 1
        if self.generator.random() < rule.get("loss", 0):
            delay += self.generator.uniform(*LOSS_STALL_SECONDS)
            self.counts["lost_chunks"] += 1
        left = since + delay - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)


class Connection:
    def __init__(self, network, dialler, acceptor, streams):
        self.network, self.pair, self.streams = network, frozenset((dialler, acceptor)), streams
        self.dialler, self.acceptor = dialler, acceptor
        self.task = None

    async def run(self, hello):
        (client_in, client_out), (server_in, server_out) = self.streams
        self.task = asyncio.current_task()
        self.network.connections.add(self)
        self.network.counts["connections"] += 1
        pumps = [
            asyncio.create_task(self.pump(client_in, server_out, (self.dialler, self.acceptor), hello)),
            asyncio.create_task(self.pump(server_in, client_out, (self.acceptor, self.dialler), b"")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.network.connections.discard(self)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def cut(self):
        if self.task is not None:
            self.task.cancel()

    async def pump(self, source, sink, link, first):
        queue = asyncio.Queue(QUEUE_CHUNKS)
        loop = asyncio.get_running_loop()

        async def read():
            if first:
                await queue.put((first, loop.time()))
            while data := await source.read(CHUNK_BYTES):
                await queue.put((data, loop.time()))
            await queue.put((b"", loop.time()))

        reader = asyncio.create_task(read())
        try:
            while True:
                data, since = await queue.get()
                await self.network.pass_through(link, since)
                if not data:
                    return
                sink.write(data)
                await sink.drain()
        except OSError:
            return
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def accept(network, acceptor, port, reader, writer):
    server_writer = None
    try:
        hello = await reader.readexactly(HELLO_BYTES)
        (dialler,) = struct.unpack_from("<Q", hello, SENDER_OFFSET)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
        await Connection(network, dialler, acceptor, ((reader, writer), (server_reader, server_writer))).run(hello)
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        pass
    finally:
        for each in (writer, server_writer):
            if each is not None:
                # With a reset: what was not delivered is gone, as with a connection that times out.
                each.transport.abort()


async def main(seed, routes):
    network = Network(seed)
    for node, outer, inner in routes:
        await asyncio.start_server(
            lambda reader, writer, node=node, inner=inner: accept(network, node, inner, reader, writer), "127.0.0.1", outer
        )
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        print(json.dumps(network.apply(json.loads(line))), flush=True)


class Proxy:
    """Runs this file as a process. `routes` are (node, port for its peers, port where it listens)."""

    def __init__(self, routes, seed=0):
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(seed), json.dumps(routes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("the proxy did not start")

    def apply(self, rules=(), cut=()):
        """Replaces all rules. Returns what the proxy has counted so far."""
        with self.lock:
            self.process.stdin.write(json.dumps({"rules": list(rules), "cut": [sorted(pair) for pair in cut]}) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]), json.loads(sys.argv[2])))
    except KeyboardInterrupt:
        pass
