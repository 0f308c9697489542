"""Tries the GitHub twin with PyGithub.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- github` prints: from the file named as the argument,
or from standard input.
"""

import json
import sys

from github import Auth, Github, GithubIntegration
from github.GithubException import (
    BadCredentialsException,
    GithubException,
    RateLimitExceededException,
    UnknownObjectException,
)

from checks import Checks, consented_code, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()


def client(token, **options):
    auth = Auth.Token(token) if token else None
    return Github(base_url=f"{twin['url']}/api/v3", auth=auth, retry=None, seconds_between_writes=0, **options)


john = client(twin["token"], per_page=50)
others = twin["otherTokens"]


@checks.run
def a_classic_token_signs_in_and_names_its_scopes():
    user = john.get_user()
    equal((user.login, user.name, user.email), (twin["username"], "John Doe", "john@example.test"))
    equal(list(john.oauth_scopes), twin["scopes"])


@checks.run
def the_limit_is_told():
    core = john.get_rate_limit().resources.core
    equal(core.limit, 5000)
    assert 0 < core.remaining <= core.limit
    remaining, limit = john.rate_limiting
    assert 0 < remaining <= limit


@checks.run
def a_repository_tells_what_one_may_do():
    repository = john.get_repo(twin["repository"])
    equal((repository.full_name, repository.default_branch, repository.private), (twin["repository"], "main", True))
    equal(repository.clone_url, twin["cloneUrl"])
    equal((repository.permissions.push, repository.permissions.admin), (True, False))


@checks.run
def repositories_are_listed_and_searched():
    equal([repository.full_name for repository in john.get_user().get_repos()], [twin["repository"]])
    found = john.search_repositories("project in:name")
    equal((found.totalCount, found[0].full_name), (1, twin["repository"]))


@checks.run
def a_repository_can_be_looked_into():
    repository = john.get_repo(twin["repository"])
    entries = [(entry.path, entry.type) for entry in repository.get_contents("", ref="main")]
    assert ("README.md", "file") in entries and ("src", "dir") in entries, entries
    equal([entry.path for entry in repository.get_contents("src")], ["src/main.rs"])
    equal(repository.get_contents("src/main.rs", ref="main").decoded_content, b"fn main() {}\n")
    raises(UnknownObjectException, lambda: repository.get_contents("src/none.rs"))
    refused = raises(GithubException, lambda: repository.get_contents("src", ref="none"))
    equal((refused.status, refused.data["message"]), (404, "No commit found for the ref none"))


@checks.run
def branches_come_in_several_pages():
    branches = john.get_repo(twin["repository"]).get_branches()
    names = [branch.name for branch in branches]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))
    equal([branch.name for branch in branches if branch.protected], ["main"])


@checks.run
def a_pull_request_is_opened_once():
    repository = john.get_repo(twin["repository"])
    new = {"head": twin["changedBranch"], "base": "main", "title": "One more file", "body": "Why"}
    opened = repository.create_pull(**new)
    equal((opened.number, opened.state, opened.head.ref, opened.base.ref), (1, "open", twin["changedBranch"], "main"))
    again = raises(GithubException, lambda: repository.create_pull(**new))
    equal(again.status, 422)
    assert again.data["errors"][0]["message"].startswith("A pull request already exists for"), again.data
    owner = twin["repository"].split("/")[0]
    found = repository.get_pulls(state="open", head=f"{owner}:{twin['changedBranch']}")
    equal([pull.number for pull in found], [1])


@checks.run
def a_pull_request_needs_a_change():
    repository = john.get_repo(twin["repository"])
    refused = raises(GithubException, lambda: repository.create_pull(head="topic/002", base="main", title="T"))
    equal((refused.status, refused.data["errors"][0]["message"]), (422, "No commits between main and topic/002"))


@checks.run
def a_token_that_does_not_work_is_bad_credentials():
    for token in ["ghp_unknown", others["expired"], others["revoked"]]:
        refused = raises(BadCredentialsException, lambda: client(token).get_user().login)
        equal((refused.status, refused.data["status"]), (401, "401"))


@checks.run
def no_token_requires_authentication():
    refused = raises(GithubException, lambda: client(None).requester.requestJsonAndCheck("GET", "/user"))
    equal((refused.status, refused.data["message"]), (401, "Requires authentication"))


@checks.run
def an_unknown_repository_is_an_unknown_object():
    raises(UnknownObjectException, lambda: john.get_repo("acme/none"))
    raises(UnknownObjectException, lambda: client(None).get_repo(twin["repository"]))


@checks.run
def a_fine_grained_token_reads_and_does_not_write():
    reader = client(others["readOnly"])
    repository = reader.get_repo(twin["repository"])
    equal(reader.oauth_scopes, None)
    refused = raises(GithubException, lambda: repository.create_pull(head="topic/002", base="main", title="T"))
    equal((refused.status, refused.data["message"]), (403, "Resource not accessible by personal access token"))


@checks.run
def the_primary_limit_is_a_class_of_its_own():
    refused = raises(RateLimitExceededException, lambda: client(others["rateLimited"]).get_user().login)
    equal((refused.status, refused.headers["x-ratelimit-remaining"]), (403, "0"))


app = twin["app"]


def integration(issuer):
    return GithubIntegration(auth=Auth.AppAuth(issuer, app["pem"]), base_url=f"{twin['url']}/api/v3", retry=None)


@checks.run
def an_app_signs_in_by_its_client_id_and_by_its_number():
    for issuer in [app["clientId"], app["id"]]:
        equal(integration(issuer).get_app().slug, app["slug"])


@checks.run
def installations_are_listed_and_found():
    apps = integration(app["clientId"])
    equal([installation.id for installation in apps.get_installations()], [app["installation"]])
    equal(apps.get_org_installation(app["organization"]).id, app["installation"])
    equal(apps.get_repo_installation(app["organization"], "project-01").id, app["installation"])
    raises(UnknownObjectException, lambda: apps.get_user_installation(twin["username"]))


@checks.run
def an_installation_token_reaches_every_repository_of_several_pages():
    installation = integration(app["clientId"]).get_app_installation(app["installation"])
    names = [repository.full_name for repository in installation.get_repos()]
    equal((len(names), len(set(names))), (app["repositories"], app["repositories"]))


@checks.run
def an_installation_token_is_narrowed_and_never_widened():
    apps = integration(app["clientId"])
    narrow = apps.get_access_token(app["installation"], permissions={"contents": "read"})
    equal(narrow.permissions, {"contents": "read"})
    assert narrow.token.startswith("ghs_") and narrow.expires_at is not None
    refused = raises(GithubException, lambda: apps.get_access_token(app["installation"], permissions={"issues": "write"}))
    equal(refused.status, 422)
    github = client(narrow.token)
    equal(github.get_repo(f"{app['organization']}/project-01").permissions.push, False)
    refused = raises(GithubException, lambda: github.get_user().login)
    equal((refused.status, refused.data["message"]), (403, "Resource not accessible by integration"))


@checks.run
def an_oauth_code_becomes_a_token():
    oauth = Github(base_url=f"{twin['url']}/api/v3", retry=None).get_oauth_application(
        twin["oauth"]["clientId"], twin["oauth"]["clientSecret"]
    )
    code = consented_code(f"{twin['url']}/login/oauth/authorize", twin["oauth"], "repo")
    token = oauth.get_access_token(code)
    equal((token.token[:4], token.scope), ("gho_", "repo"))
    equal(client(token.token).get_user().login, twin["username"])
    renewed = oauth.refresh_access_token(token.refresh_token)
    assert renewed.token != token.token
    raises(BadCredentialsException, lambda: client(token.token).get_user().login)
    raises(GithubException, lambda: oauth.refresh_access_token(token.refresh_token))


checks.finish()
