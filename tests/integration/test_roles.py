"""Every operation of docs/openapi.yaml as each role, on the real server: who is not logged in, a
stranger, the owner, an auditor, an administrator, and tokens of the owner's with less reach. What
is somebody else's cannot be told from what does not exist."""
import json
from pathlib import Path

import pytest
import yaml

DESCRIPTION = yaml.safe_load(
    (Path(__file__).parents[2] / "docs/openapi.yaml").read_text(encoding="utf-8"))
OPERATIONS = {operation["operationId"]: (method.upper(), path, operation)
              for path, methods in DESCRIPTION["paths"].items()
              for method, operation in methods.items() if "operationId" in operation}

# Answered before anybody is known, or to agents only.
OPEN = {"getBuildinfo", "getSetup", "postSetup", "login", "authRedirect", "connectAgent"}
# Bodies that are whole but change nothing: a taken name, a wrong password, a level that needs
# people, rubbish as a template. Who may not ask is refused before that counts.
BODIES = {
    "putPassword": {"old_password": "wrong horse", "new_password": "battery staple"},
    "createUser": {"name": "admin", "password": "correct horse", "role": "member"},
    "updateUser": {"display_name": "Somebody"},
    "createToken": {"name": "taken"},
    "putTemplate": {"yaml": "no: 1"},
    "createWorkspace": {"name": "hidden-ws", "owner": "hidden-owner"},
    "putShare": {"level": "users"},
}
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
             "Adit-Peer-Pin": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}
MARK = "hidden"


def of_kind(*parameters):
    """The operations whose path has one of the parameters."""
    return sorted(name for name, (_, path, _) in OPERATIONS.items() if name not in OPEN
                  and any("{" + each + "}" in path for each in parameters))


WORKSPACE_OPERATIONS = of_kind("workspace")
SECURED = sorted(set(OPERATIONS) - OPEN)
ENDLESS = {name for name, (_, _, operation) in OPERATIONS.items()
           if any("text/event-stream" in answer.get("content", {})
                  for answer in operation["responses"].values())}


class World:
    """One server and everybody on it."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.owner = deployment.user("hidden-owner")
        self.workspace = deployment.workspace(self.owner, "hidden-ws")
        self.names = {"user": self.owner.name, "owner": self.owner.name,
                      "workspace": self.workspace.name, "agent": "main", "template": "default",
                      "target": "8080"}
        people = {"stranger": deployment.user("stranger"), "owner": self.owner,
                  "auditor": deployment.user("olga", role="auditor"), "admin": deployment.admin}
        self.apis = {name: self.log_in(person) for name, person in people.items()}
        self.apis["nobody"] = deployment.api()
        self.apis["workspace token"] = self.limited(f"workspace:{self.workspace.name}")
        self.apis["app token"] = self.limited("application-connect")
        made = self.apis["owner"].post("/tokens", {"name": "taken"}, 201).json()
        shown = self.apis["owner"].get(
            f"/workspaces/{self.owner.name}/{self.workspace.name}").json()
        self.ids = {"deleteToken": made["info"]["id"]}
        self.agent_id = shown["agents"][0]["id"]

    def log_in(self, person):
        answer = self.deployment.api().post(
            "/login", {"user": person.name, "password": person.password}, 200)
        return self.deployment.api(answer.json()["token"])

    def limited(self, scope):
        name = scope.replace(":", "-")
        made = self.apis["owner"].post("/tokens", {"name": name, "scope": scope}, 201).json()
        return self.deployment.api(made["token"])

    def path(self, operation, **other):
        path = OPERATIONS[operation][1].removeprefix("/api/v1")
        names = {**self.names, "id": self.ids.get(operation, self.agent_id), **other}
        for name, value in names.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path, f"{operation}: a new parameter in {path}"
        return path

    def ask(self, who, operation, **other):
        method, _, description = OPERATIONS[operation]
        body = None
        if "requestBody" in description:
            body = BODIES[operation]
        fields = HANDSHAKE if operation == "relay" else {}
        answer = self.apis[who].request(method, self.path(operation, **other), json=body,
                                        headers={**fields, "Adit-Csrf": "1"}, stream=True)
        if operation in ENDLESS and answer.status_code == 200:
            answer.close()
        return answer


@pytest.fixture(scope="module")
def world(deployment):
    return World(deployment)


@pytest.mark.parametrize("operation", SECURED)
def test_nobody_gets_401(operation, world):
    assert world.ask("nobody", operation).status_code == 401


@pytest.mark.parametrize("operation", WORKSPACE_OPERATIONS)
def test_a_strangers_404_says_nothing(operation, world):
    theirs = world.ask("stranger", operation)
    nothing = world.ask("stranger", operation, workspace="no-such")
    nobodys = world.ask("stranger", operation, owner="no-such")
    assert [each.status_code for each in (theirs, nothing, nobodys)] == [404, 404, 404]
    assert theirs.content == nothing.content == nobodys.content


@pytest.mark.parametrize("operation", WORKSPACE_OPERATIONS)
def test_an_app_token_reaches_no_workspace(operation, world):
    assert world.ask("app token", operation).status_code == 404


@pytest.mark.parametrize("operation", WORKSPACE_OPERATIONS)
def test_an_auditor_reads_and_changes_nothing(operation, world):
    status = world.ask("auditor", operation).status_code
    assert status == (200 if OPERATIONS[operation][0] == "GET" else 403)


@pytest.mark.parametrize("operation", sorted(set(WORKSPACE_OPERATIONS) - {
    "deleteWorkspace", "rotateAgentToken"}))  # these end it for the other tests
def test_its_owner_may(operation, world):
    refused = (401, 403) if operation == "deleteShare" else (401, 403, 404)
    assert world.ask("owner", operation).status_code not in refused


@pytest.mark.parametrize("operation", WORKSPACE_OPERATIONS)
def test_a_workspace_token_reads_and_shares_its_own_only(operation, world):
    limited = {"deleteWorkspace": 403, "rotateAgentToken": 403}
    status = world.ask("workspace token", operation).status_code
    if operation in limited:
        assert status == limited[operation]
    else:
        assert status not in (401, 403)
    assert world.ask("workspace token", operation, workspace="another").status_code == 404


@pytest.mark.parametrize("operation", ["relay", "deleteToken", "getUser", "updateUser",
                                       "deleteUser"])
def test_ids_and_people_cannot_be_guessed(operation, world):
    theirs = world.ask("stranger", operation)
    nothing = world.ask("stranger", operation, id="0" * 31 + "1", user="no-such")
    assert (theirs.status_code, nothing.status_code) == (404, 404)
    assert theirs.content == nothing.content


@pytest.mark.parametrize("operation", sorted(
    name for name in SECURED if OPERATIONS[name][0] == "GET" and name not in ENDLESS))
def test_no_answer_to_a_stranger_tells_of_what_is_hidden(operation, world):
    for query in ("", f"?owner={world.owner.name}", "?all=true", f"?user={world.owner.name}",
                  f"?workspace={world.owner.name}/{world.workspace.name}"):
        method, path = OPERATIONS[operation][0], world.path(operation) + query
        answer = world.apis["stranger"].request(method, path)
        text = json.dumps(answer.json()) if answer.content else ""
        assert MARK not in text, f"{path}: {text}"


@pytest.mark.parametrize("operation", sorted(
    name for name in SECURED if name not in ENDLESS and name not in (
        "logout", "getMe", "putPassword", "listTokens", "createToken", "listWorkspaces",
        "listShared", "listAudit", "listTemplates", "getTemplate", "listUsers") and
    name not in WORKSPACE_OPERATIONS))
def test_what_takes_an_administrator_is_refused_to_members_and_auditors(operation, world):
    for who in ("stranger", "auditor", "app token", "workspace token"):
        status = world.ask(who, operation).status_code
        allowed = (who, operation) in {("auditor", "getUser"), ("workspace token", "relay")}
        assert (status not in (403, 404)) if allowed else (status in (403, 404)), (who, status)


def test_every_operation_with_a_body_has_one_here():
    wanted = {name for name in SECURED if "requestBody" in OPERATIONS[name][2]}
    assert wanted == set(BODIES)
