"""Peers for the forwards: small servers with a known behaviour, and clients."""
import hashlib
import itertools
import os
import random
import socket
import threading
from pathlib import Path

# Numbers for names that nothing else in this run has.
COUNTER = itertools.count(1)
# Where the next free port is looked for, so that none is given twice before all have been.
LOWEST_PORT = 10000
NEXT_PORT = None


def free_port(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    """A port that is free, and below those that the kernel gives to others on its own, so that
    nobody else takes it by chance before it is used. Asked twice, it is another one."""
    return free_range(1, kind, host)


def free_port_of_both(host="127.0.0.1"):
    """A port that was free a moment ago for TCP and UDP."""
    while True:
        port = free_port(socket.SOCK_STREAM, host)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind((host, port))
                return port
            except OSError:
                continue


def free_range(count, kind=socket.SOCK_STREAM, host="127.0.0.1"):
    """The first of `count` neighbouring ports of that sort."""
    global NEXT_PORT
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    end = max(2 * LOWEST_PORT, int(limits[0]))
    for _ in range(1000):
        first = NEXT_PORT or random.randrange(LOWEST_PORT, end)
        if first + count > end:
            first = LOWEST_PORT
        NEXT_PORT = first + count
        try:
            for port in range(first, first + count):
                with socket.socket(family, kind) as s:
                    s.bind((host, port))
        except OSError:
            continue
        return first
    raise RuntimeError("no range of free ports")


def listens(port, host="127.0.0.1"):
    """Whether a TCP connection to there is taken; or, with a path, one to that Unix socket, whose
    file is there before anybody listens."""
    try:
        if isinstance(port, Path):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(port))
                return True
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def has_listener(port):
    """Whether a TCP socket listens on that port, at any address. It is not connected to."""
    listening, number = "0A", f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == listening and fields[1].endswith(number):
                return True
    return False


class TcpServer:
    """Runs `handle(connection)` on a thread for each connection. Port 0: any; or a path."""

    def __init__(self, handle, address=("127.0.0.1", 0)):
        self._handle = handle
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            self._socket = socket.socket(family)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(address)
        self._socket.listen(1024)
        self._open = set()
        self._lock = threading.Lock()
        self.accepted = 0
        self.address = self._socket.getsockname()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self.address[1]

    @property
    def open(self):
        """How many connections are open."""
        with self._lock:
            return len(self._open)

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self._handle(connection)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def close_connections(self):
        """Ends the open connections with a reset or an end, as the kernel sees fit."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self._thread.join(timeout=5)
        self.close_connections()


def echo(connection):
    """Sends back what comes; after the peer's end, its own end."""
    while True:
        data = connection.recv(65536)
        if not data:
            break
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def answer_after_end(connection):
    """Reads to the peer's end, and only then answers with the length and SHA-256 of it all."""
    digest, length = hashlib.sha256(), 0
    while True:
        data = connection.recv(1 << 20)
        if not data:
            break
        digest.update(data)
        length += len(data)
    connection.sendall(f"{length} {digest.hexdigest()}\n".encode())


class Source:
    """A handler that sends `size` bytes that do not compress, and its `sha256`."""

    def __init__(self, size, block=1 << 20):
        self._block = os.urandom(block)
        self.size = size
        digest = hashlib.sha256()
        for piece in self._pieces():
            digest.update(piece)
        self.sha256 = digest.hexdigest()

    def _pieces(self):
        left = self.size
        while left:
            piece = self._block[:left] if left < len(self._block) else self._block
            left -= len(piece)
            yield piece

    def __call__(self, connection):
        for piece in self._pieces():
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)


def read_digest(connection):
    """Length and SHA-256 of all that comes until the end."""
    digest, length = hashlib.sha256(), 0
    buffer = bytearray(1 << 20)
    while True:
        count = connection.recv_into(buffer)
        if not count:
            return length, digest.hexdigest()
        digest.update(memoryview(buffer)[:count])
        length += count


def exchange(address, data, timeout=20, end=True):
    """Sends the bytes, ends its side (with `end`), and returns all that comes back until the
    other end. A text address is a Unix socket. A reset is raised, whichever of the two directions
    the kernel tells it to (it tells it once)."""
    if isinstance(address, str):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(address)
    else:
        connection = socket.create_connection(address, timeout=timeout)
    resets = []
    with connection:
        def send():
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            except ConnectionResetError as error:
                resets.append(error)
            except OSError:
                pass
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        pieces = []
        while True:
            piece = connection.recv(65536)
            if not piece:
                break
            pieces.append(piece)
        sender.join(timeout=timeout)
    if resets:
        raise resets[0]
    return b"".join(pieces)


class UdpEcho:
    """Sends each datagram back to whom it came from."""

    def __init__(self, host="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((host, port))
        self.port = self._socket.getsockname()[1]
        self.peers = set()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ended:
            try:
                data, peer = self._socket.recvfrom(65536)
                if self._ended:
                    return
                self.peers.add(peer)
                self._socket.sendto(data, peer)
            except OSError:
                if self._ended:
                    return

    def close(self):
        self._ended = True
        host = self._socket.getsockname()[0]
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (host, self.port))
        self._thread.join(timeout=5)
        self._socket.close()


def udp_exchange(port, data, host="127.0.0.1", timeout=5):
    """Sends one datagram and returns the one that comes back."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.connect((host, port))
        s.send(data)
        return s.recv(65536)
