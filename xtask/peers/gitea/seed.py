"""Fills a fresh Gitea with a person and what they own, and writes what there is to a JSON file.

Usage: seed.py URL ADMIN_PASSWORD FACTS_FILE.
"""

import base64
import json
import secrets
import sys
import time
import urllib.error
import urllib.request

URL, ADMIN_PASSWORD, FACTS = sys.argv[1:]
ADMIN = "keeper"
# More than one page of 50, the most that Gitea gives at once.
REPOSITORIES = 65
BRANCHES = 65
READY_WITHIN = 120

# What a session needs, and `write:user` for the tests to register OAuth applications of their own.
SCOPES = ["read:user", "write:user", "write:repository", "write:issue"]


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def call(method, path, authorization=None, body=None):
    request = urllib.request.Request(f"{URL}/api/v1{path}", method=method)
    request.add_header("Accept", "application/json")
    if authorization:
        request.add_header("Authorization", authorization)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error


def wait_until_ready():
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urllib.request.urlopen(f"{URL}/api/v1/version", timeout=5) as answer:
                return json.load(answer)["version"]
        except OSError as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"{URL} did not answer within {READY_WITHIN} s: {error}") from error
        time.sleep(0.2)


def person(username):
    password = secrets.token_urlsafe(24)
    call("POST", "/admin/users", basic(ADMIN, ADMIN_PASSWORD), {
        "username": username,
        "full_name": "Ada Lovelace",
        "email": f"{username}@example.test",
        "password": password,
        "must_change_password": False,
    })
    return password


def token(username, password, name, scopes):
    body = {"name": name, "scopes": scopes}
    return call("POST", f"/users/{username}/tokens", basic(username, password), body)["sha1"]


def repositories(authorization):
    call("POST", "/user/repos", authorization, {"name": "app", "private": True, "auto_init": True})
    for number in range(REPOSITORIES - 1):
        call("POST", "/user/repos", authorization, {"name": f"many-{number:03}", "private": number % 2 == 0})
    return REPOSITORIES


def branches(authorization, username):
    for number in range(BRANCHES - 1):
        body = {"new_branch_name": f"topic/{number:03}", "old_ref_name": "main"}
        call("POST", f"/repos/{username}/app/branches", authorization, body)
    return BRANCHES


version = wait_until_ready()
user = "ada"
password = person(user)
pat = token(user, password, "all", SCOPES)
authorization = f"token {pat}"
facts = {
    "url": URL,
    "version": version,
    "username": user,
    "name": "Ada Lovelace",
    "password": password,
    "token": pat,
    "poorToken": token(user, password, "poor", ["read:user"]),
    "scopes": SCOPES,
    "repository": f"{user}/app",
    "cloneUrl": f"{URL}/{user}/app.git",
    "repositories": repositories(authorization),
    "branches": branches(authorization, user),
}
with open(FACTS, "w", encoding="utf-8") as file:
    json.dump(facts, file)
print(f"Gitea {version}: {facts['repositories']} repositories, {facts['branches']} branches")
