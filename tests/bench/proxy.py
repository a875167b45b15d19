"""A TCP proxy that delays each direction and counts round trips. Own process: `python -m
tests.bench.proxy DELAY_MS WINDOW_KIB TARGET_PORT`; prints its port, then a JSON line per closed
connection.

A round trip is a turn of the client that the server's answer has reached, so a LOGOUT nobody waits
for is none; the connection's own is not counted here. WINDOW_KIB caps the bytes in flight per
direction and stands in for the TCP window: no loss, no slow start.
"""

import heapq
import json
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import count

_RECV_BYTES = 256 * 1024
_LOOPBACK = "127.0.0.1"


class Loop:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (when, next(self._numbers), work))

    def run(self) -> None:
        while True:
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, mask in self.selector.select(wait):
                key.data(mask)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()


class Way:
    """One direction: what was read and waits for its time."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source, self.target = source, target
        self.waiting: deque[tuple[float, memoryview]] = deque()
        self.in_flight = self.bytes = 0
        self.ended = False


class Connection:
    def __init__(
        self, loop: Loop, client: socket.socket, port: int, delay: float, window: int
    ) -> None:
        self._loop, self._delay, self._window = loop, delay, window
        server = socket.create_connection((_LOOPBACK, port))
        self._ways = {client: Way(client, server), server: Way(server, client)}
        self._client = client
        self._masks = {client: 0, server: 0}
        self._asked, self._closed, self._open = False, False, False
        self.round_trips = 0
        for each in self._ways:
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.at(time.monotonic() + 2 * delay, self._start)

    def _start(self) -> None:
        self._open = True
        self._listen()

    def _listen(self) -> None:
        if self._closed or not self._open:
            return
        now = time.monotonic()
        for each, way in self._ways.items():
            wants = 0
            if not way.ended and way.in_flight < self._window:
                wants |= selectors.EVENT_READ
            back = self._ways[way.target].waiting
            if back and back[0][0] <= now:
                wants |= selectors.EVENT_WRITE
            self._register(each, wants)

    def _register(self, each: socket.socket, wants: int) -> None:
        known, self._masks[each] = self._masks[each], wants
        if known == wants:
            return
        selector = self._loop.selector
        if not known:
            selector.register(each, wants, lambda mask: self._ready(each, mask))
        elif not wants:
            selector.unregister(each)
        else:
            selector.modify(each, wants, lambda mask: self._ready(each, mask))

    def _ready(self, each: socket.socket, mask: int) -> None:
        if mask & selectors.EVENT_WRITE and not self._closed:
            self._flush(self._ways[self._ways[each].target])
        if mask & selectors.EVENT_READ and not self._closed:
            self._read(self._ways[each])
        self._listen()

    def _read(self, way: Way) -> None:
        try:
            data = way.source.recv(_RECV_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        way.ended = not data
        way.bytes += len(data)
        way.in_flight += len(data)
        when = time.monotonic() + self._delay
        way.waiting.append((when, memoryview(data)))
        self._loop.at(when, lambda: self._flush(way))

    def _flush(self, way: Way) -> None:
        while not self._closed and way.waiting and way.waiting[0][0] <= time.monotonic():
            when, data = way.waiting[0]
            if not data:
                self._close()
                return
            try:
                sent = way.target.send(data)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._close()
                return
            self._count(way)
            way.in_flight -= sent
            if sent < len(data):
                way.waiting[0] = (when, data[sent:])
                break
            way.waiting.popleft()
        self._listen()

    def _count(self, way: Way) -> None:
        if way.source is self._client:
            self._asked = True
        elif self._asked and not self._ways[self._client].ended:
            self._asked = False
            self.round_trips += 1

    def _close(self) -> None:
        self._closed = True
        for each in self._ways:
            self._register(each, 0)
            each.close()
        down = next(way.bytes for each, way in self._ways.items() if each is not self._client)
        up = self._ways[self._client].bytes
        print(json.dumps({"round_trips": self.round_trips, "up": up, "down": down}), flush=True)


def main(delay_ms: float, window_kib: int, target: int) -> None:
    loop = Loop()
    listener = socket.create_server((_LOOPBACK, 0), backlog=256)
    listener.setblocking(False)

    def accept(_mask: int) -> None:
        client, _ = listener.accept()
        Connection(loop, client, target, delay_ms / 1000, window_kib * 1024)

    loop.selector.register(listener, selectors.EVENT_READ, accept)
    print(listener.getsockname()[1], flush=True)
    loop.run()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
