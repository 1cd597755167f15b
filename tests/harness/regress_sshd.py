"""What OpenSSH's regression scripts call sshd, when it is a workspace's SSH service that they test.

    regress_sshd.py -i ...             carries one connection over standard input and output
    regress_sshd.py -f CONFIG ...      listens, as a daemon, at the Port of CONFIG, and carries each
                                       connection; leaves its process id in the PidFile
    regress_sshd.py -t ...             is content

Every connection goes through `adit ssh --stdio`, as it does for a user's ProxyCommand. The rest of
the configuration belongs to the workspace's agent and is not looked at. Settings come from the
environment: REGRESS_ADIT (the program) and REGRESS_WORKSPACE.
"""
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path


def carrier():
    return [os.environ["REGRESS_ADIT"], "ssh", "--stdio", os.environ["REGRESS_WORKSPACE"]]


def setting(config, name):
    return re.search(rf"^\s*{name}\s+(\S+)", config, re.MULTILINE | re.IGNORECASE)[1]


def serve(listener, pid_file):
    def end(*_):
        pid_file.unlink(missing_ok=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    pid_file.write_text(f"{os.getpid()}\n")
    while True:
        connection, _ = listener.accept()
        with connection:
            subprocess.Popen(carrier(), stdin=connection, stdout=connection)


def main():
    arguments = sys.argv[1:]
    if "-t" in arguments:
        return
    if "-i" in arguments:
        os.execv(carrier()[0], carrier())
    config = Path(arguments[arguments.index("-f") + 1]).read_text()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(setting(config, "Port"))))
    listener.listen(128)
    if os.fork() == 0:
        log = os.open(next(each[2:] for each in arguments if each.startswith("-E")),
                      os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for fd in (0, 1, 2):
            os.dup2(log, fd)
        serve(listener, Path(setting(config, "PidFile")))


main()
