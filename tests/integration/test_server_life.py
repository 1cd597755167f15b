"""The server from start to end: what it refuses, what survives, and how it stops."""
import json
import signal
import socket
import ssl
import subprocess
import threading

import pytest
import requests

from harness import net
from harness.adit import PROGRAM, Cli, clean_environment
from harness.wait import until

HTTP = requests.Session()
HTTP.trust_env = False


def start(supervisor, root, *options, env=None, listen="127.0.0.1:0", good_codes=(0,)):
    """A server that need not come up."""
    (root / "tmp").mkdir(parents=True, exist_ok=True)
    return supervisor.start(
        "server", [PROGRAM, "server", "--listen", listen, "--data-dir", root / "data", *options],
        env=clean_environment(root, **(env or {})), cwd=root, good_codes=good_codes)


def refuses(supervisor, root, *options, **more):
    """Starts a server that must not come up; what it says."""
    server = start(supervisor, root, *options, good_codes=None, **more)
    assert server.wait_exit() not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    return server.text("err")


def test_two_servers_on_one_data_folder_are_refused(own_deployment, supervisor):
    text = refuses(supervisor, own_deployment.root)
    assert "another adit server" in text
    assert str(own_deployment.server.pid) in text
    assert "--data-dir" in text
    assert HTTP.get(f"{own_deployment.url}/healthz", timeout=5).text == "ok\n"


def test_a_port_in_use_is_named(own_deployment, supervisor, tmp_path):
    text = refuses(supervisor, tmp_path / "other", listen=f"127.0.0.1:{own_deployment.port}")
    assert f"127.0.0.1:{own_deployment.port}" in text


@pytest.mark.parametrize("options, said", [
    (("--workers", "0"), "--workers"),
    (("--listen", "nowhere"), "--listen"),
    (("--tls-cert", "/nonexistent"), "--tls-key"),
    (("--access-url", "ftp://x"), "--access-url"),
    (("--no-such-thing", "1"), "no-such-thing"),
])
def test_a_wrong_setting_is_named_before_anything_starts(options, said, supervisor, tmp_path):
    assert said in refuses(supervisor, tmp_path, *options)
    assert not (tmp_path / "data").exists()


def test_a_wrong_key_in_the_file_is_named_with_its_line(supervisor, tmp_path):
    config = tmp_path / "adit.yaml"
    config.write_text("workers: 1\nworkerz: 2\n")
    assert f"{config}:2" in refuses(supervisor, tmp_path, "--config", config)


def test_a_damaged_store_is_refused(supervisor, tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "adit.db").write_bytes(b"this is no database" * 1000)
    assert "adit.db" in refuses(supervisor, tmp_path)


def test_of_many_first_users_at_once_one_wins(make_deployment):
    deployment = make_deployment(set_up=False)
    statuses = []

    def set_up(number):
        answer = HTTP.post(f"{deployment.url}/api/v1/setup", timeout=30,
                           json={"name": f"user{number}", "password": "correct horse"})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=set_up, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 409, 503, 429}


def test_what_was_answered_survives_a_crash(own_deployment):
    api = own_deployment.api()
    for round_ in range(3):
        token = api.post("/login", {"user": "admin", "password": own_deployment.admin.password},
                         200).json()["token"]
        mine = own_deployment.api(token)
        mine.post("/workspaces", {"name": f"made-{round_}"}, 201)
        own_deployment.crash()
        own_deployment.start()
        names = [each["name"] for each in mine.get("/workspaces").json()["workspaces"]]
        assert f"made-{round_}" in names
        assert mine.get("/me").json()["user"]["name"] == "admin"


def test_a_graceful_stop_ends_open_sessions_and_exits_0(own_deployment, own_workspace, supervisor,
                                                        tcp_echo):
    mine = Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)
    forward = mine.forward(own_workspace.name, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    assert net.exchange(("127.0.0.1", forward.ports[0]), b"x") == b"x"
    assert own_deployment.server.stop(timeout=15) == []
    assert not (own_deployment.root / "ready.json").exists()
    with pytest.raises(requests.ConnectionError):
        HTTP.get(f"{own_deployment.url}/healthz", timeout=5)


def test_open_streams_go_on_while_the_server_drains(make_deployment, supervisor, tcp_echo):
    deployment = make_deployment("--drain-timeout", "1h")
    workspace = deployment.workspace()
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    forward = mine.forward(workspace.name, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    with socket.create_connection(("127.0.0.1", forward.ports[0]), timeout=10) as stream:
        stream.sendall(b"before")
        assert stream.recv(100) == b"before"
        deployment.server.signal(signal.SIGTERM)
        deployment.server.wait_line("stopping")
        until(lambda: not net.listens(deployment.port), "the listener is closed")
        stream.sendall(b"after")
        assert stream.recv(100) == b"after"
    # A second signal ends the wait.
    deployment.server.signal(signal.SIGTERM)
    assert deployment.server.wait_exit() == 0


def make_certificate(folder, name, alternative="IP:127.0.0.1"):
    """A key and a self-signed certificate with this name."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"],
        check=True, capture_output=True)


def served_certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10)


def certificate_for(port, name):
    """What a client gets that asks for this name (SNI)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secured:
            return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True)).strip()


def test_each_name_gets_its_own_certificate(supervisor, tmp_path):
    options, files = [], {}
    for name in ("adit.example.test", "*.apps.example.test"):
        folder = tmp_path / name.strip("*.")
        folder.mkdir()
        make_certificate(folder, "x", f"DNS:{name}")
        options += ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]
        files[name] = (folder / "cert.pem").read_text().strip()
    ready = tmp_path / "ready.json"
    start(supervisor, tmp_path, *options, "--ready-file", ready)
    until(ready.exists, "server listening")
    port = int(json.loads(ready.read_text())["url"].rsplit(":", 1)[1])
    main, apps = files.values()
    assert certificate_for(port, "adit.example.test") == main
    assert certificate_for(port, "3000--dev--ada.apps.example.test") == apps
    assert certificate_for(port, "elsewhere.test") == main


def test_https_and_a_new_certificate_on_sighup(supervisor, tmp_path):
    make_certificate(tmp_path, "one")
    ready = tmp_path / "ready.json"
    server = start(supervisor, tmp_path, "--tls-cert", tmp_path / "cert.pem", "--tls-key",
                   tmp_path / "key.pem", "--ready-file", ready)
    until(ready.exists, "server listening")
    url = json.loads(ready.read_text())["url"]
    port = int(url.rsplit(":", 1)[1])
    assert url.startswith("https://127.0.0.1:")
    assert HTTP.get(f"{url}/healthz", verify=tmp_path / "cert.pem", timeout=5).text == "ok\n"
    answer = HTTP.post(f"{url}/api/v1/setup", verify=tmp_path / "cert.pem", timeout=30,
                       json={"name": "ada", "password": "correct horse"})
    assert answer.headers["Set-Cookie"].startswith("__Host-adit_session=")
    assert "Secure" in answer.headers["Set-Cookie"]

    first = served_certificate(port)
    assert first.strip() == (tmp_path / "cert.pem").read_text().strip()
    since = server.position()
    (tmp_path / "cert.pem").write_text("rubbish")
    server.signal(signal.SIGHUP)
    server.wait_line("not read again", since=since)
    assert served_certificate(port) == first

    make_certificate(tmp_path, "two")
    server.signal(signal.SIGHUP)
    server.wait_line("was read again", since=since)
    assert served_certificate(port) != first
    # Plain HTTP on a TLS port, and a client that stays silent, are ended.
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while plain.recv(1000):
            pass


def test_metrics_are_for_this_machine_only(make_deployment):
    deployment = make_deployment("--metrics-from", "192.0.2.0/24")
    assert HTTP.get(f"{deployment.url}/metrics", timeout=5).status_code == 404
    open_to_us = make_deployment()
    answer = HTTP.get(f"{open_to_us.url}/metrics", timeout=5)
    assert answer.status_code == 200
    for name in ("adit_agents", "adit_relays", "adit_relayed_bytes_total", "adit_connections",
                 "adit_store_operations_total", "adit_http_requests_total", "adit_refused_total"):
        assert f"\n{name}" in answer.text
    # A proxy that is not trusted passed it on: whoever is behind it is not this machine.
    proxied = HTTP.get(f"{open_to_us.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"},
                       timeout=5)
    assert proxied.status_code == 404


def is_closed(connection):
    """Whether the other side has ended a connection on which nothing was said."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_connections_beyond_the_quota_are_closed_and_counted(make_deployment):
    # Nobody has been here before, whose connection may still be among the five.
    deployment = make_deployment("--max-connections-per-address", "5", set_up=False)
    held = [socket.create_connection(("127.0.0.1", deployment.port), timeout=5) for _ in range(12)]
    # Two workers accept: which of them are closed is not told by their order.
    until(lambda: sum(is_closed(each) for each in held) == 7, "those beyond five are closed")
    for each in held:
        each.close()

    def answers():
        try:
            return HTTP.get(f"{deployment.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False
    until(answers, "places are given back")
    text = HTTP.get(f"{deployment.url}/metrics", timeout=5).text
    refused = [line for line in text.splitlines() if "connections_per_address" in line]
    assert int(refused[0].split()[-1]) >= 7


def test_a_person_holds_so_many_sessions_and_gets_the_place_back(make_deployment, tcp_echo):
    deployment = make_deployment("--max-sessions-per-user", "1")
    workspace = deployment.workspace()
    spec = f"{net.free_port()}:{tcp_echo.port}"
    first = workspace.owner.forward(workspace.name, "--tcp", spec)
    assert net.exchange(("127.0.0.1", first.ports[0]), b"first") == b"first"
    second = workspace.owner.start("port-forward", workspace.name, "--tcp",
                                   f"{net.free_port()}:{tcp_echo.port}", "--output", "json")
    second.wait_line("as many sessions as this server allows")
    first.stop()
    second.wait_event(event="ready", timeout=20)
    text = HTTP.get(f"{deployment.url}/metrics", timeout=5).text
    assert 'adit_refused_total{quota="sessions_per_user"} 0' not in text
    assert second.stop() == []


def test_the_data_folder_is_nobody_elses(own_deployment):
    data = own_deployment.root / "data"
    assert data.stat().st_mode & 0o077 == 0
    for each in data.iterdir():
        assert each.stat().st_mode & 0o077 == 0, each


def test_an_app_host_is_neither_the_pages_nor_the_api(own_deployment):
    port = own_deployment.port
    for host in (f"3000--main--dev--admin.localhost:{port}", f"x.localhost:{port}"):
        for path in ("/", "/api/v1/buildinfo", "/healthz", "/metrics"):
            answer = HTTP.get(f"{own_deployment.url}{path}", headers={"Host": host}, timeout=5,
                              allow_redirects=False)
            assert answer.status_code in (303, 400, 401, 404), f"{host}{path}"
            assert "adit login" not in answer.text
            assert "adit_agents" not in answer.text
