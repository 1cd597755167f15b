"""What docs/OPERATING.md says of a deployment's settings and its backup."""
import re
import shlex
import subprocess
from pathlib import Path

import yaml

from harness import net
from harness.adit import PROGRAM, clean_environment

PAGE = (Path(__file__).parents[2] / "docs/OPERATING.md").read_text()
HOST = "127.0.0.1"


def command(beginning):
    """The page's command that begins so."""
    return next(line.strip() for line in PAGE.splitlines() if line.startswith(f"    {beginning}"))


def test_the_settings_of_the_page_are_taken(supervisor, tmp_path):
    settings = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S).group(1))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-keyout", key, "-out", chain, "-subj", "/CN=adit.example.com",
         "-addext", "subjectAltName=DNS:adit.example.com,DNS:*.apps.example.com"],
        check=True, capture_output=True)
    settings.update(listen=f"{HOST}:0", tls_cert=str(chain), tls_key=str(key),
                    audit_file=str(tmp_path / "audit.jsonl"))
    config = tmp_path / "server.yaml"
    config.write_text(yaml.safe_dump(settings))
    unit = re.search(r"^ExecStart=(.*)$", PAGE, re.M).group(1)
    ours = {"/usr/local/bin/adit": str(PROGRAM), "/etc/adit/server.yaml": str(config),
            "/var/lib/adit": str(tmp_path / "data")}
    server = supervisor.start("server", [ours.get(word, word) for word in shlex.split(unit)],
                              env=clean_environment(tmp_path), cwd=tmp_path, good_codes=(0,))
    server.wait_line("https://adit.example.com")
    assert "without" not in server.text("err")


def test_a_backup_of_a_running_server_serves(make_deployment, supervisor, tcp_echo):
    deployment = make_deployment()
    workspace = deployment.workspace()
    copy = deployment.root / "copy.db"
    data = deployment.root / "data"
    ours = {"/var/lib/adit": str(data), "/var/backups/adit.db": str(copy),
            "-o adit -g adit ": ""}

    def run(beginning):
        line = command(beginning)
        for theirs, mine in ours.items():
            line = line.replace(theirs, mine)
        subprocess.run(["sh", "-c", line], check=True, timeout=60)
    run("sqlite3 ")
    workspace.owner.run("create", "after-the-copy")
    assert deployment.server.stop() == []
    run("rm -f ")
    run("install -o ")
    deployment.start()
    workspace.wait_connected()
    assert workspace.owner.run("list", "--names").out.split() == [workspace.name]
    running = workspace.owner.forward(workspace.name, f"{net.free_port()}:{tcp_echo.port}")
    assert net.exchange((HOST, running.ports[0]), b"back") == b"back"
    running.stop()


def test_the_only_administrator_gets_a_new_password_by_the_data_folder(make_deployment):
    deployment = make_deployment()
    admin = deployment.admin
    data = deployment.root / "data"
    line = shlex.split(command("adit users reset-password"))[1:]
    line = [{"/var/lib/adit": str(data), "root": admin.name}.get(word, word) for word in line]

    def reset(*args, password="what the administrator knows now\n", code=0):
        return admin.run(*args, "--password-stdin", stdin=password, code=code)
    assert "another adit server" in reset(*line, code=1).err
    assert deployment.server.stop() == []
    elsewhere = deployment.root / "elsewhere"
    assert "not the data folder of a server" in reset(*line[:-1], str(elsewhere), code=1).err
    assert not elsewhere.exists()
    assert "nobody" in reset(*line[:2], "nobody", *line[3:], code=1).err
    assert "shorter than 8" in reset(*line, password="short\n", code=1).err
    assert reset(*line).out == f"User {admin.name}: password set, sessions ended.\n"
    deployment.start()
    admin.run("whoami", code=3)
    admin.login(deployment.url, "what the administrator knows now")
    newest = admin.run("audit", "--action", "user_update", "--output", "json").json()[0]
    assert (newest["target"], newest["actor"], newest["detail"]) == (
        admin.name, None, "new password, by the data folder")
