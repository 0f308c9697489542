"""Tries the Bitbucket Cloud twin with atlassian-python-api.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- bitbucket` prints: from the file named as the
argument, or from standard input.
"""

import json
import sys

from atlassian.bitbucket import Cloud
from requests.exceptions import HTTPError

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
workspace, slug = twin["repository"].split("/")


def client(token):
    return Cloud(url=twin["url"], username=twin["email"], password=token, cloud=True)


def repository(token=twin["token"]):
    return client(token).repositories.get(workspace, slug)


@checks.run
def an_api_token_signs_in_with_the_email_address():
    equal(client(twin["token"]).get("user")["username"], twin["username"])


@checks.run
def a_repository_is_found():
    found = repository()
    equal((found.get_data("full_name"), found.slug, found.is_private), (twin["repository"], slug, True))
    equal(found.get_data("links")["clone"][0]["href"], twin["cloneUrl"])


@checks.run
def a_workspace_lists_its_repositories():
    names = [found.get_data("full_name") for found in client(twin["token"]).workspaces.get(workspace).repositories.each()]
    equal(names, [twin["repository"]])


@checks.run
def branches_come_in_several_pages():
    names = [branch.name for branch in repository().branches.each()]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))


@checks.run
def a_pull_request_is_opened_found_and_changed():
    pulls = repository().pullrequests
    opened = pulls.create("One more file", source_branch=twin["changedBranch"], destination_branch="main")
    equal((opened.id, opened.is_open, opened.source_branch), (1, True, twin["changedBranch"]))
    found = list(pulls.each(q=f'source.branch.name = "{twin["changedBranch"]}"'))
    equal([pull.title for pull in found], ["One more file"])


@checks.run
def a_useless_token_is_refused():
    for token in ["ATATT3xFfGF0unknown", twin["otherTokens"]["expired"], twin["otherTokens"]["revoked"]]:
        refused = raises(HTTPError, lambda: repository(token))
        equal(refused.response.status_code, 401)


@checks.run
def a_reading_token_does_not_write():
    reader = repository(twin["otherTokens"]["readOnly"])
    new = {"source_branch": "topic/002", "destination_branch": "main"}
    refused = raises(HTTPError, lambda: reader.pullrequests.create("T", **new))
    equal(refused.response.status_code, 403)


checks.finish()
