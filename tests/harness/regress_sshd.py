"""What OpenSSH's regression scripts call sshd, when it is a workspace's SSH service that they test.

    regress_sshd.py -i ...             carries one connection over standard input and output
    regress_sshd.py -f CONFIG ...      listens, as a daemon, at the Port of CONFIG, and carries each
                                       connection; leaves its process id in the PidFile
    regress_sshd.py -t ...             is content

Every connection goes through `adit ssh --stdio`, as it does for a user's ProxyCommand. What CONFIG
and the options of its authorized key say of TCP forwards is put into the workspace's template
before a connection with -i, as the workspace's administrator would do; the rest belongs to the
agent and is not looked at. Settings come from the environment: REGRESS_ADIT (the program),
REGRESS_WORKSPACE, its REGRESS_TEMPLATE, and REGRESS_POLICY, a file that keeps what that says.
"""
import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path


ALL = {"local": True, "remote": True}  # what a new template allows


def carrier():
    return [os.environ["REGRESS_ADIT"], "ssh", "--stdio", os.environ["REGRESS_WORKSPACE"]]


def setting(config, name):
    return re.search(rf"^\s*{name}\s+(\S+)", config, re.MULTILINE | re.IGNORECASE)[1]


def key_options(config):
    """What stands before the first key that may log in."""
    keys = Path(setting(config, "AuthorizedKeysFile").replace("%u", getpass.getuser()))
    options = re.match(r"(?:(.*) )?(?:ssh|ecdsa|sk)-", keys.read_text())
    return options[1] or ""


def entries(config, name):
    line = re.search(rf"^\s*{name}\s+(.+)$", config, re.MULTILINE)
    return line and line[1].split()


def policy(config):
    """The template's words for what sshd_config(5) and the key say."""
    options = key_options(config)
    names = re.findall(r'permitopen="([^"]*)"', options)
    ports = "no-port-forwarding" not in options and (
        "restrict" not in options or ",port-forwarding" in options)
    line = entries(config, "AllowTcpForwarding")
    tcp = line[0] if line and ports else "yes" if ports else "no"
    found = {"local": tcp in ("yes", "local"), "remote": tcp in ("yes", "remote")}
    lists = {"permit_open": names or entries(config, "PermitOpen"),
             "permit_listen": entries(config, "PermitListen")}
    return found | {name: rules for name, rules in lists.items() if rules}


def put_into_template(wanted):
    kept, text = Path(os.environ["REGRESS_POLICY"]), json.dumps(wanted)
    if (kept.read_text() if kept.exists() else json.dumps(ALL)) == text:
        return
    subprocess.run([carrier()[0], "templates", "push", os.environ["REGRESS_TEMPLATE"], "-"],
                   input=f"forwarding: {text}\n".encode(), stdout=subprocess.DEVNULL, check=True)
    kept.write_text(text)


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
    config = Path(arguments[arguments.index("-f") + 1]).read_text()
    if "-i" in arguments:
        put_into_template(policy(config))
        os.execv(carrier()[0], carrier())
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
