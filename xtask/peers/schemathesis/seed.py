"""Fills a running Valetkey with one of everything, and writes what Schemathesis is to ask for it with.

Usage: seed.py URL FOLDER. In FOLDER are the facts of the twins (`gitlab.json` and so on) and the proxy's secret; into it go `requests.json`, a request for each operation that needs something which is there, and
`schemathesis.toml`, our settings with the same in its dictionaries. What an operation changes or takes away is its own, so
that the others still find theirs.
"""

import json
import os
import pathlib
import sys
import time

import requests

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
ADMIN = {"Authorization": f"Bearer {os.environ['VALETKEY_ADMIN_TOKEN']}"}
READY_WITHIN = 60
# Nothing listens there.
NOBODY = "http://127.0.0.1:9"

TWINS = ("gitlab", "github", "jira", "google")
gitlab, github, jira, google = (json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in TWINS)
http = requests.Session()
http.trust_env = False


def call(method, path, body=None, headers=ADMIN):
    answer = http.request(method, URL + path, json=body, headers=headers, timeout=60)
    if not answer.ok:
        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


def until(what, condition):
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"waited in vain for {what}")


def person(name):
    """Somebody whom the proxy vouches for."""
    headers = {"X-Valetkey-Proxy-Secret": (FOLDER / "proxy-secret").read_text("utf-8"), "X-Forwarded-User": name}
    return call("GET", "/api/v1/me", headers=headers)["id"], headers


def connect(facts, provider, token, scope="user_global", project=None, login=None):
    auth = {"method": "pat", "token": token}
    if login:
        auth.update(method="basic", username=login)
    body = {"provider": provider, "scope": scope, "instanceUrl": facts["url"], "auth": auth}
    return call("POST", "/api/v1/integrations", {**body, **({"project": project} if project else {})})["id"]


def consented(body):
    """Connects an account as a browser does: from our page to the provider's, which agrees, and back."""
    begun = call("POST", "/api/v1/oauth/authorize", body)
    with requests.Session() as browser:
        browser.trust_env = False
        browser.get(begun["authorizeUrl"], timeout=60)
    state = call("GET", f"/api/v1/oauth/attempts/{begun['attempt']}")
    if state["state"] != "connected":
        raise SystemExit(f"{body['provider']} was not connected: {state}")


def in_project(project, what, body):
    return call("POST", f"/api/v1/projects/{project}/{what}", body)


def session(script, push_branch):
    repositories = [{"url": gitlab["cloneUrl"], "pushBranch": push_branch}]
    body = {"task": "Try it", "repositories": repositories, "agent": {"command": ["sh", "-c", script]}}
    return in_project("orchard", "sessions", body)["id"]


def ended(session_id):
    phase = call("GET", f"/api/v1/projects/orchard/sessions/{session_id}")["phase"]
    if phase in ("Failed", "Stopped"):
        raise SystemExit(f"session {session_id} has {phase}")
    return phase == "Completed"


def text_of(path):
    return path.read_text("utf-8") if path.exists() else None


# orchard stays as it is. The others are there to be changed: heath and copse in what is in them, meadow to be deleted.
for project in ("orchard", "heath", "copse", "meadow"):
    call("POST", "/api/v1/projects", {"name": project})

# People. Bob's accounts are connected and disconnected in the way of the older clients.
cleo, _ = person("cleo")
_, as_bob = person("bob")
bobs_token = call("POST", "/api/v1/tokens", {"name": "bob"}, as_bob)["token"]
for email in ("dan@example.test", "eve@example.test"):
    in_project("orchard", "members", {"kind": "email", "name": email, "role": "viewer"})

# Accounts.
main = connect(gitlab, "gitlab", gitlab["token"])
connect(github, "github", github["token"])
connect(jira, "jira", jira["token"], login=jira["email"])
rotated = connect(gitlab, "gitlab", gitlab["otherTokens"]["rotatable"], "project", "heath")
spare_integration = connect(github, "github", github["otherTokens"]["another"], "project", "copse")
for project in ("orchard", "copse"):
    in_project(project, "repositories", {"url": gitlab["cloneUrl"], "integration": main})

# Apps and attempts to connect with them.
app = {"clientId": gitlab["oauth"]["clientId"], "clientSecret": gitlab["oauth"]["clientSecret"]}
call("POST", "/api/v1/provider-apps", {"provider": "gitlab", "instanceUrl": gitlab["url"], **app})
call("POST", "/api/v1/provider-apps", {"provider": "google", "clientId": "nobody", "clientSecret": "nobodys-secret"})
spare_app = {"provider": "gitea", "instanceUrl": "https://gitea.example.test"}
call("POST", "/api/v1/provider-apps", {**spare_app, "clientId": "nobody"})
google_app = {"clientId": google["app"]["id"], "clientSecret": google["app"]["secret"]}
call("POST", "/api/v1/provider-apps", {"provider": "google", "instanceUrl": google["url"], **google_app})
consented({"provider": "google", "instanceUrl": google["url"], "scope": "user_global"})
consent = {"provider": "gitlab", "instanceUrl": gitlab["url"], "scope": "project", "project": "copse"}
attempt = call("POST", "/api/v1/oauth/authorize", consent)["attempt"]
polled = call("POST", "/api/v1/oauth/device", consent)["attempt"]

# Assistants, secrets, tokens, webhooks.
assistant, changed_assistant, spare_assistant = (
    in_project("orchard", "assistants", {"name": name, "tools": {"gitlab": {"slot": "automatic"}}})["id"]
    for name in ("Reviewer", "Changed", "Spare")
)
secret = {"value": "long enough to be hidden"}
for path in ("/api/v1/secrets", "/api/v1/projects/orchard/secrets"):
    call("POST", path, {"name": "SPARE_KEY", **secret})
spare_token = call("POST", "/api/v1/tokens", {"name": "spare"})["id"]
webhook, changed_webhook, spare_webhook = (
    in_project("orchard", "webhooks", {"url": f"{NOBODY}/{name}"})["id"] for name in ("hook", "changed", "spare")
)
delivery = call("POST", f"/api/v1/projects/orchard/webhooks/{webhook}/test")["id"]

# Sessions: two that are over, and two that run for as long as there is our folder.
finished = session("echo changed >> README.md", "peer/finished")
spare_session = session("true", "peer/spare")
until("the sessions to end", lambda: ended(finished) and ended(spare_session))
token_file, running_file = FOLDER / "session-token", FOLDER / "running"
for file in (token_file, running_file):
    file.unlink(missing_ok=True)
waits = f"while [ -d '{FOLDER}' ]; do sleep 1; done"
running = session(f"printf %s \"$VALETKEY_SESSION_TOKEN\" > '{token_file}'; {waits}", "peer/running")
stopped = session(f"echo here > '{running_file}'; {waits}", "peer/stopped")
sessions_token = until("a running session", lambda: text_of(token_file))
until("the other one", lambda: text_of(running_file))

bob = {"Authorization": f"Bearer {bobs_token}"}
in_session = {
    "path": {"project": "orchard", "session": running},
    "headers": {"Authorization": f"Bearer {sessions_token}"},
}
gitlab_account = {"personalAccessToken": gitlab["otherTokens"]["another"], "instanceUrl": gitlab["url"]}
jira_account = {"url": jira["url"], "email": jira["email"], "apiToken": jira["token"]}
repository = {"url": gitlab["cloneUrl"]}
seen = {"repo": gitlab["cloneUrl"], "ref": "main"}
new_session = {"task": "Try it", "repositories": [repository], "agent": {"command": ["true"]}}


def there(id=None, project="orchard", **more):
    return {"path": {"project": project, **({"id": id} if id else {}), **more}}


REQUESTS = {
    "ambientConnectGitlab": {"headers": bob, "body": gitlab_account},
    "ambientTestGitlab": {"headers": bob, "body": gitlab_account},
    "ambientConnectJira": {"headers": bob, "body": jira_account},
    "ambientTestJira": {"headers": bob, "body": jira_account},
    **{
        f"ambient{name}": {"headers": bob}
        for name in (
            "ConnectGoogle", "DeleteGitlab", "DeleteJira", "DisconnectGithub", "DisconnectGitlab", "DisconnectGoogle",
            "DisconnectJira", "RemoveGithubPat", "SaveGithubPat",
        )
    },
    **{f"ambient{name}Credential": in_session for name in ("Github", "Gitlab", "Google", "Jira")},
    "ambientBranches": {**there(), "query": {"repo": gitlab["cloneUrl"]}},
    "ambientTree": {**there(), "query": {**seen, "path": "src"}},
    "ambientBlob": {**there(), "query": {**seen, "path": "README.md"}},
    "connectIntegration": {
        "body": {**consent, "auth": {"method": "pat", "token": gitlab["token"]}},
    },
    "resolveIntegration": {"query": {"project": "orchard", "url": gitlab["cloneUrl"]}},
    "disconnectIntegration": {"path": {"id": spare_integration}},
    **{
        operation: {"path": {"id": main}}
        for operation in ("getIntegration", "listEventsOfIntegration", "testIntegration", "getIntegrationUsage")
    },
    "changeIntegration": {"path": {"id": rotated}, "body": {"isDefault": True}},
    "rotateIntegration": {"path": {"id": rotated}, "body": {}},
    "getOauthAttempt": {"path": {"attempt": attempt}},
    "beginOauth": {"body": consent},
    "beginDevice": {"body": consent},
    "pollDevice": {"body": {"attempt": polled}},
    "getPerson": {"path": {"id": cleo}},
    "changePerson": {"path": {"id": cleo}, "body": {"administrator": True}},
    "createProject": {"body": {"name": "spinney"}},
    "deleteProject": there(project="meadow"),
    "getProject": there(),
    "listProjectLosses": there(project="heath"),
    "changeProject": {**there(project="heath"), "body": {"description": "Changed"}},
    **{
        operation: there()
        for operation in (
            "listAssistants", "listMembers", "listProjectRepositories", "listProjectSecrets", "listSessions", "listWebhooks",
            "searchRepositories",
        )
    },
    "createAssistant": {**there(), "body": {"name": "Made"}},
    "deleteAssistant": there(spare_assistant),
    "getAssistant": there(assistant),
    "changeAssistant": {**there(changed_assistant), "body": {"name": "Changed", "description": "Changed"}},
    "setMember": {**there(), "body": {"kind": "email", "name": "dan@example.test", "role": "member"}},
    "removeMember": {**there(), "query": {"kind": "email", "name": "eve@example.test"}},
    "addProjectRepository": {**there(project="heath"), "body": repository},
    "removeProjectRepository": {**there(project="copse"), "query": repository},
    "checkProjectRepository": {**there(), "body": repository},
    "listBranches": {**there(), "query": repository},
    "setProjectSecret": {**there(), "body": {"name": "NPM_TOKEN", **secret}},
    "deleteProjectSecret": there(name="SPARE_KEY"),
    "createSession": {**there(), "body": new_session},
    "checkSession": {**there(), "body": new_session},
    "deleteSession": there(spare_session),
    "getSession": there(finished),
    "listChanges": there(finished),
    "followSession": there(finished),
    "stopSession": there(stopped),
    "createWebhook": {**there(), "body": {"url": f"{NOBODY}/made"}},
    "deleteWebhook": there(spare_webhook),
    "getWebhook": there(webhook),
    "changeWebhook": {**there(changed_webhook), "body": {"description": "Changed"}},
    "listWebhookDeliveries": there(webhook),
    "redeliverWebhook": there(webhook, delivery=delivery),
    "rotateWebhookSecret": there(changed_webhook),
    "testWebhook": there(webhook),
    "removeProviderApp": {"query": spare_app},
    "registerProviderApp": {"body": {**spare_app, "instanceUrl": "https://forgejo.example.test", "clientId": "nobody"}},
    "setSecret": {"body": {"name": "NPM_TOKEN", **secret}},
    "deleteSecret": {"path": {"name": "SPARE_KEY"}},
    "createToken": {"body": {"name": "made"}},
    "deleteToken": {"path": {"id": spare_token}},
}


def texts(value, key):
    """The texts in a body, each with the key that Schemathesis binds a dictionary to."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from texts(member, f"{key}.{name}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from texts(value[0], f"{key}[*]")


def settings():
    """What is appended to our settings. JSON's texts are TOML's too."""
    dictionaries, operations = [], []
    for operation, request in REQUESTS.items():
        bound = {}
        for key, value in texts({name: request.get(name, {}) for name in ("path", "query", "body")}, ""):
            name, key = f"{operation}{key}".replace(".", "-").replace("[*]", ""), key[1:]
            dictionaries.append(f"{json.dumps(name)} = {{ values = [{json.dumps(value)}] }}")
            # Of a body as it is there would be nothing left to make up.
            bound[key] = f"{{ dictionary = {json.dumps(name)}, probability = {0.5 if key.startswith('body') else 0.8} }}"
        lines = ["[[operations]]", f"include-operation-id = {json.dumps(operation)}"]
        for name, value in request.get("headers", {}).items():
            lines.append(f"headers.{name} = {json.dumps(value)}")
        lines.extend(f"parameters.{json.dumps(key)} = {value}" for key, value in bound.items())
        operations.append("\n".join(lines))
    return "\n\n".join(["[dictionaries]\n" + "\n".join(dictionaries), *operations])


ours = pathlib.Path(__file__).with_name("schemathesis.toml").read_text("utf-8")
(FOLDER / "schemathesis.toml").write_text(f"{ours}\n{settings()}\n", "utf-8")
(FOLDER / "requests.json").write_text(json.dumps(REQUESTS), "utf-8")
print(f"{len(REQUESTS)} operations have something to ask for")
