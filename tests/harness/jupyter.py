"""A real Jupyter notebook server, and its kernels by their WebSocket."""
import json
import os
import uuid

import websocket

from harness import net
from harness.wait import SCALE, until

PROGRAM = "/usr/bin/jupyter-notebook"
TOKEN = "token-of-the-test"


def start(supervisor, home, *options):
    """Its port. `home` gets a folder `notebooks`, if it is not there."""
    assert os.path.exists(PROGRAM), f"{PROGRAM} is not installed"
    (home / "notebooks").mkdir(exist_ok=True)
    port = net.free_port()
    arguments = ["--no-browser", f"--port={port}", "--ip=127.0.0.1", "--port-retries=0",
                 f"--NotebookApp.token={TOKEN}", f"--notebook-dir={home}/notebooks", *options]
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    server = supervisor.start("jupyter", [PROGRAM, *arguments], env=environment, good_codes=None)
    server.wait_line(r"is running at|http://(127\.0\.0\.1|localhost):", timeout=60)
    until(lambda: net.listens(port), "Jupyter listening", timeout=30)
    return port


def run_cell(url, kernel, code, **request):
    """Runs code in a kernel of the server at the URL; what it printed. `request`: what the
    WebSocket's opening request has besides, as websocket.create_connection() takes it."""
    session, number = uuid.uuid4().hex, uuid.uuid4().hex
    channel = websocket.create_connection(
        url.replace("http", "ws", 1) + f"/api/kernels/{kernel}/channels?session_id={session}",
        timeout=60 * SCALE, **request)
    try:
        channel.send(json.dumps({
            "header": {"msg_id": number, "username": "test", "session": session,
                       "msg_type": "execute_request", "version": "5.3", "date": ""},
            "parent_header": {}, "metadata": {}, "channel": "shell",
            "content": {"code": code, "silent": False, "store_history": False,
                        "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}}))
        while True:
            message = json.loads(channel.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "stream":
                return message["content"]["text"]
            assert message["msg_type"] != "error", message["content"]
    finally:
        channel.close()
