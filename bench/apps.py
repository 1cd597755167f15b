"""The app proxy beside two nginx legs with TLS between them, loaded by wrk over TLS.

Both lead to the same web server. The peer's first leg ends the browser's TLS and speaks TLS 1.3 to
the second, with kept connections, as two nginx in two places do it."""
import os
import re
import subprocess
import sys

from deployment import Deployment
from machine import answers, cpu_seconds, free_port, wait_until

NGINX = """daemon off;
{user}
worker_processes auto;
pid {folder}/nginx-{name}.pid;
error_log {folder}/nginx-{name}.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/t1;
  proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  ssl_protocols TLSv1.3;
{body}
}}
"""
WEB = """  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = / {{ default_type text/plain; return 200 "{small}"; }}
    location / {{ root {folder}/www; }}
  }}
"""
LEG = """  upstream next {{ server 127.0.0.1:{to}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_session_cache shared:s:4m;
    location / {{
      proxy_pass {scheme}://next;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      {more}
    }}
  }}
"""
TO_TLS = "proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse on;"
LOADS = (("small_keep", "/", 32, False), ("small_new", "/", 32, True),
         ("large_keep", "/large", 8, False))
UNITS = {"us": 1, "ms": 1e3, "s": 1e6}


def _nginx(machine, name, body):
    config = machine.folder / f"nginx-{name}.conf"
    # The folder is for its owner only.
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(NGINX.format(folder=machine.folder, name=name, body=body, user=user))
    return machine.start(["nginx", "-c", config, "-p", machine.folder, "-e", "/dev/null"])


def _web(machine):
    port = free_port()
    (machine.folder / "www").mkdir()
    (machine.folder / "www/large").write_bytes(bytes(range(256)) * 4096)
    process = _nginx(machine, "web", WEB.format(port=port, folder=machine.folder,
                                                small="x" * 200))
    wait_until(lambda: answers(port), "the web server listens")
    return process, port


def _legs(machine, to):
    near, far = free_port(), free_port()
    pair = {"cert": machine.cert, "key": machine.key}
    second = _nginx(machine, "far", LEG.format(port=far, to=to, scheme="http", more="", **pair))
    first = _nginx(machine, "near",
                   LEG.format(port=near, to=far, scheme="https", more=TO_TLS, **pair))
    wait_until(lambda: answers(near) and answers(far), "nginx listens")
    return [first, second], near


def _microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * UNITS[unit]


def _wrk(machine, port, path, headers, connections, new, seconds):
    if new:
        headers = [*headers, "Connection: close"]
    words = [word for header in headers for word in ("-H", header)]
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *words,
         f"https://127.0.0.1:{port}{path}"], env=machine.environment, check=True,
        stdout=subprocess.PIPE, text=True, timeout=60).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        raise RuntimeError(f"wrk met errors: {done}")
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]),
            _microseconds(re.search(r"\n +50% +(\S+)", done)[1]),
            _microseconds(re.search(r"\n +99% +(\S+)", done)[1]))


def _one_round(machine, port, processes, headers, seconds):
    found = {}
    for name, path, connections, new in LOADS:
        before = cpu_seconds(processes)
        rate, p50, p99 = _wrk(machine, port, path, headers(), connections, new, seconds)
        used = cpu_seconds(processes) - before
        found.update({f"{name}_s": rate, f"{name}_p50_us": p50, f"{name}_p99_us": p99,
                      f"{name}_cpu_us": used / (rate * seconds) * 1e6})
    return found


def measure(machine, options):
    web, web_port = _web(machine)
    legs, leg_port = _legs(machine, web_port)
    deployment = Deployment(machine, "apps")
    deployment.start_agent("relayed, session")
    adit = [deployment.server, deployment.agent]

    def ticket():
        host, cookie = deployment.ticket(web_port)
        return [f"Host: {host}", f"Cookie: {cookie}"]

    ways = {"two nginx legs": (leg_port, legs, lambda: []),
            "adit": (deployment.port, adit, ticket)}
    rounds = {name: [] for name in ways}
    for number in range(options.repeat):
        for name, (port, processes, headers) in ways.items():
            print(f"apps {number + 1}/{options.repeat}: {name}", file=sys.stderr)
            rounds[name].append(_one_round(machine, port, processes, headers,
                                           1 if options.quick else 3))
    machine.stop(web, *legs, *adit)
    return {"rounds": rounds}
