"""A TCP road between two programs that a test can block, silence and open again."""
import socket
import threading


class Road:
    """Listens on a port of 127.0.0.1 and copies to the port `to`, as a port mapping does."""

    def __init__(self):
        self.to = None
        self._silent = False
        self._open = True
        self._pairs = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                is_open = self._open
            if not is_open or not self.to:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.to), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if not self._silent:
                    sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def silence(self, silent=True):
        """Connections stay, and nothing comes through any more: as a cut cable."""
        self._silent = silent

    def block(self):
        """Ends all connections and takes no more."""
        with self._lock:
            self._open = False
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def unblock(self):
        with self._lock:
            self._open = True

    def close(self):
        self.block()
        self._socket.close()
