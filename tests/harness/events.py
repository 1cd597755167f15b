"""A stream of server-sent events, read as a browser would."""
import http.client
import json
import socket
import threading
import time
import urllib.parse

from .wait import SCALE, TooLate, deadline


class Event:
    def __init__(self, name, data):
        self.name = name
        self.data = data
        self.at = time.monotonic()


class Events:
    """GET /events, from now until it is closed. What comes is kept."""

    def __init__(self, deployment, token, workspace=None, **query):
        if workspace:
            query["workspace"] = workspace
        self.seen = []
        self.over = False
        self._changed = threading.Condition()
        self._connection = http.client.HTTPConnection("127.0.0.1", deployment.port,
                                                      timeout=60 * SCALE)
        self._connection.request("GET", "/api/v1/events?" + urllib.parse.urlencode(query),
                                 headers={"Authorization": f"Bearer {token}"})
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _add(self, name, data):
        with self._changed:
            self.seen.append(Event(name, json.loads(data)))
            self._changed.notify_all()

    def _read(self):
        name = None
        try:
            while line := self._answer.readline():
                key, _, value = line.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    self._add(name, value)
        except (http.client.HTTPException, OSError, ValueError):
            pass
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def latest(self, name):
        with self._changed:
            return next((each.data for each in reversed(self.seen) if each.name == name), None)

    def wait(self, name, good=lambda data: True, timeout=5):
        """The first state of the topic, old or new, that is good."""
        end = deadline(timeout)
        with self._changed:
            while True:
                for each in reversed(self.seen):
                    if each.name == name:
                        if good(each.data):
                            return each
                        break
                left = end - time.monotonic()
                if left <= 0 or self.over:
                    last = [each.data for each in self.seen if each.name == name][-1:]
                    raise TooLate(f"no such {name} within {timeout} s; the last: {last}")
                self._changed.wait(left)

    def wait_end(self, timeout=5):
        end = deadline(timeout)
        with self._changed:
            while not self.over:
                if time.monotonic() > end:
                    raise TooLate(f"the stream did not end within {timeout} s")
                self._changed.wait(end - time.monotonic())

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join()
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def port_in(data, port):
    """The entry of the port in a "ports" event; None: it is not listed."""
    return next((each for each in data["ports"] if each["port"] == port), None)
