"""Tries the Bitbucket Data Center twin with atlassian-python-api.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- bitbucket-data-center` prints: from the file named as
the argument, or from standard input.
"""

import json
import sys

from atlassian import Bitbucket
from requests.exceptions import HTTPError

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
_, key, slug = twin["repository"].split("/")


def client(token):
    return Bitbucket(url=twin["url"], token=token)


john = client(twin["token"])
new = {
    "source_project": key,
    "source_repo": slug,
    "dest_project": key,
    "dest_repo": slug,
    "source_branch": f"refs/heads/{twin['changedBranch']}",
    "destination_branch": "refs/heads/main",
    "title": "One more file",
    "description": "Why",
}


@checks.run
def a_repository_is_found():
    found = john.get_repo(key, slug)
    equal((found["slug"], found["project"]["key"]), (slug, key))
    equal(found["links"]["clone"][0]["href"], twin["cloneUrl"])


@checks.run
def repositories_are_listed():
    equal([found["slug"] for found in john.repo_list(key)], [slug])


@checks.run
def the_default_branch_is_told():
    equal(john.get_default_branch(key, slug)["displayId"], "main")


@checks.run
def branches_come_in_several_pages():
    names = [branch["displayId"] for branch in john.get_branches(key, slug, limit=50, details=False)]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))


@checks.run
def a_user_is_found():
    equal(john.get_users(user_filter=twin["username"])["values"][0]["emailAddress"], twin["email"])


@checks.run
def a_pull_request_is_opened_once():
    opened = john.open_pull_request(**new)
    equal((opened["id"], opened["state"], opened["version"]), (1, "OPEN", 0))
    refused = raises(HTTPError, lambda: john.open_pull_request(**new))
    equal(refused.response.status_code, 409)
    equal([pull["id"] for pull in john.get_pull_requests(key, slug, state="OPEN")], [1])


@checks.run
def a_useless_token_is_refused():
    for token in ["BBDC-unknown", twin["otherTokens"]["expired"], twin["otherTokens"]["revoked"]]:
        refused = raises(HTTPError, lambda: client(token).get_repo(key, slug))
        equal(refused.response.status_code, 401)


checks.finish()
