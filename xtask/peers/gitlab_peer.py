"""Tries the GitLab twin with python-gitlab.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- gitlab` prints: from the file named as the argument,
or from standard input.
"""

import json
import sys

import gitlab
import requests
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabGetError, GitlabHttpError

from checks import Checks, consented_code, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()


def client(token, **options):
    return gitlab.Gitlab(twin["url"], private_token=token, retry_transient_errors=False, **options)


john = client(twin["token"])
others = twin["otherTokens"]


@checks.run
def a_private_token_signs_in():
    john.auth()
    equal(john.user.username, twin["username"])
    equal(john.user.email, "john@example.test")


@checks.run
def a_bearer_token_signs_in():
    bearer = gitlab.Gitlab(twin["url"], oauth_token=twin["token"])
    bearer.auth()
    equal(bearer.user.username, twin["username"])


@checks.run
def a_token_describes_itself():
    token = john.personal_access_tokens.get("self")
    equal(token.scopes, twin["scopes"])
    equal(token.expires_at, twin["expiresAt"])
    equal((token.active, token.revoked), (True, False))


@checks.run
def the_version_is_told():
    version, revision = john.version()
    assert version != "unknown" and revision != "unknown"


@checks.run
def a_repository_can_be_looked_into():
    project = john.projects.get(twin["repository"])
    entries = [(entry["path"], entry["type"]) for entry in project.repository_tree(ref="main", get_all=True)]
    assert ("README.md", "blob") in entries and ("src", "tree") in entries, entries
    equal([entry["path"] for entry in project.repository_tree("src", get_all=True)], ["src/main.rs"])
    equal(project.files.get("src/main.rs", ref="main").decode(), b"fn main() {}\n")
    raises(GitlabGetError, lambda: project.files.get("src/none.rs", ref="main"))
    raises(GitlabGetError, lambda: project.repository_tree("none", get_all=True))


@checks.run
def a_project_is_found_by_path_and_number():
    project = john.projects.get(twin["repository"])
    equal(project.path_with_namespace, twin["repository"])
    equal(project.default_branch, "main")
    equal(project.http_url_to_repo, twin["cloneUrl"])
    equal(project.permissions["project_access"]["access_level"], gitlab.const.AccessLevel.DEVELOPER)
    equal(john.projects.get(project.id).path_with_namespace, twin["repository"])


@checks.run
def projects_are_searched():
    found = john.projects.list(search="project", membership=True, get_all=True)
    equal([project.path_with_namespace for project in found], [twin["repository"]])
    equal(john.projects.list(search="no such project", get_all=True), [])


@checks.run
def a_member_is_found_with_inherited_ones():
    john.auth()
    member = john.projects.get(twin["repository"]).members_all.get(john.user.id)
    equal((member.username, member.access_level), (twin["username"], 30))


@checks.run
def branches_come_in_several_pages():
    branches = john.projects.get(twin["repository"]).branches
    listing = branches.list(iterator=True, per_page=50)
    equal((listing.total, listing.total_pages, listing.per_page), (twin["branches"], 3, 50))
    names = [branch.name for branch in listing]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))
    main = next(branch for branch in branches.list(get_all=True) if branch.name == "main")
    equal((main.default, main.protected, main.can_push), (True, True, False))


@checks.run
def a_merge_request_is_opened_once():
    requests = john.projects.get(twin["repository"]).mergerequests
    new = {"source_branch": twin["changedBranch"], "target_branch": "main", "title": "One more file"}
    opened = requests.create(new)
    equal((opened.iid, opened.state, opened.source_branch), (1, "opened", twin["changedBranch"]))
    again = raises(GitlabCreateError, lambda: requests.create(new))
    equal(again.response_code, 409)
    assert "Another open merge request already exists" in str(again), again
    found = requests.list(source_branch=twin["changedBranch"], state="opened", get_all=True)
    equal([request.iid for request in found], [1])


@checks.run
def a_merge_request_needs_its_fields():
    requests = john.projects.get(twin["repository"]).mergerequests
    refused = raises(GitlabHttpError, lambda: john.http_post(requests.path, post_data={"title": "T"}))
    equal(refused.response_code, 400)


@checks.run
def a_bad_an_expired_and_a_revoked_token_are_told_apart():
    for token, text in [
        ("glpat-unknown", "Bad Access Token."),
        (others["expired"], "Token is expired."),
        (others["revoked"], "Token was revoked."),
    ]:
        refused = raises(GitlabAuthenticationError, client(token).auth)
        body = json.loads(refused.response_body)
        equal((refused.response_code, body["error"]), (401, "invalid_token"))
        assert body["error_description"].startswith(text), body


@checks.run
def no_token_is_unauthorized():
    refused = raises(GitlabAuthenticationError, lambda: gitlab.Gitlab(twin["url"]).http_get("/user"))
    assert "401 Unauthorized" in str(refused), refused


@checks.run
def an_unknown_project_is_not_found():
    missing = raises(GitlabGetError, lambda: john.projects.get("group/none"))
    equal((missing.response_code, missing.error_message), (404, "404 Project Not Found"))


@checks.run
def a_reading_token_reads_and_does_not_write():
    reader = client(others["readOnly"])
    project = reader.projects.get(twin["repository"])
    new = {"source_branch": "topic/002", "target_branch": "main", "title": "T"}
    refused = raises(GitlabCreateError, lambda: project.mergerequests.create(new))
    equal(refused.response_code, 403)


@checks.run
def a_limit_is_a_429_in_plain_text():
    limited = client(others["rateLimited"])
    refused = raises(GitlabHttpError, lambda: limited.http_get("/user", obey_rate_limit=False))
    equal(refused.response_code, 429)
    equal(refused.response_body.decode().strip(), "Retry later")


@checks.run
def an_oauth_token_signs_in_and_a_refresh_ends_it():
    app = twin["oauth"]
    exchange = {"client_id": app["clientId"], "client_secret": app["clientSecret"], "redirect_uri": app["redirectUri"]}
    code = consented_code(f"{twin['url']}/oauth/authorize", app, "api")
    token_url = f"{twin['url']}/oauth/token"
    token = requests.post(token_url, data={**exchange, "grant_type": "authorization_code", "code": code}).json()
    signed_in = gitlab.Gitlab(twin["url"], oauth_token=token["access_token"])
    signed_in.auth()
    equal(signed_in.user.username, twin["username"])
    refresh = {**exchange, "grant_type": "refresh_token", "refresh_token": token["refresh_token"]}
    renewed = requests.post(token_url, data=refresh).json()
    raises(GitlabAuthenticationError, signed_in.auth)
    gitlab.Gitlab(twin["url"], oauth_token=renewed["access_token"]).auth()


@checks.run
def a_token_rotates_itself():
    old = client(others["rotatable"])
    rotated = old.personal_access_tokens.rotate("self", expires_at="2027-03-01")
    equal(rotated["expires_at"], "2027-03-01")
    client(rotated["token"]).auth()
    raises(GitlabAuthenticationError, old.auth)
    raises(GitlabAuthenticationError, lambda: old.personal_access_tokens.rotate("self"))
    raises(GitlabAuthenticationError, client(rotated["token"]).auth)


checks.finish()
