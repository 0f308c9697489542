"""Tries the Gitea and Forgejo twins with py-gitea.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- gitea` prints: from the file named as the argument,
or from standard input.
"""

import json
import sys

from gitea import Gitea, NotFoundException, Repository

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
owner, name = twin["repository"].split("/")


def client(token):
    return Gitea(twin["url"], token)


john = client(twin["token"])


@checks.run
def the_version_is_told():
    equal("+gitea-" in john.get_version(), twin["forge"] == "forgejo")


@checks.run
def a_token_signs_in():
    user = john.get_user()
    equal((user.username, user.email), (twin["username"], twin["email"]))


@checks.run
def a_repository_is_found():
    found = Repository.request(john, owner, name)
    equal((found.full_name, found.default_branch, found.private), (twin["repository"], "main", True))
    equal(found.clone_url, twin["cloneUrl"])


@checks.run
def an_unknown_repository_is_not_found():
    raises(NotFoundException, lambda: Repository.request(john, owner, "none"))


@checks.run
def a_pull_request_is_opened_once():
    new = {"head": twin["changedBranch"], "base": "main", "title": "One more file"}
    route = f"/repos/{twin['repository']}/pulls"
    equal(john.requests_post(route, data=new)["number"], 1)
    refused = raises(Exception, lambda: john.requests_post(route, data=new))
    assert "409" in str(refused), refused


@checks.run
def branches_come_in_several_pages():
    names = [found["name"] for found in john.requests_get_paginated(f"/repos/{twin['repository']}/branches")]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))


checks.finish()
