"""Tries the Azure DevOps twin with Microsoft's azure-devops.

Reads the JSON that `cargo run -p valetkey-twins --example twin -- azure-devops` prints: from the file named as the
argument, or from standard input.
"""

import json
import os
import sys
import tempfile

# The client keeps what it learnt of a server in a folder, which must not outlive the twin.
cache = tempfile.TemporaryDirectory(prefix="valetkey-peer-")
os.environ["AZURE_DEVOPS_CACHE_DIR"] = cache.name

from azure.devops.connection import Connection
from azure.devops.exceptions import AzureDevOpsServiceError
from azure.devops.v7_1.git.models import GitPullRequest, GitPullRequestSearchCriteria
from msrest.authentication import BasicAuthentication

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
organization, project, _, name = twin["repository"].split("/")


def client(token):
    connection = Connection(base_url=f"{twin['url']}/{organization}", creds=BasicAuthentication("", token))
    return connection.clients_v7_1.get_git_client()


john = client(twin["token"])


@checks.run
def a_repository_is_found():
    found = john.get_repository(name, project)
    equal((found.name, found.project.name, found.default_branch), (name, project, "refs/heads/main"))
    equal(found.remote_url, twin["cloneUrl"])


@checks.run
def repositories_are_listed():
    equal([found.name for found in john.get_repositories(project)], [name])


@checks.run
def refs_are_listed():
    names = [ref.name for ref in john.get_refs(name, project, filter="heads/")]
    equal((len(names), len(set(names))), (twin["branches"], twin["branches"]))
    # This version of the client drops the token that leads to the next page.
    equal(len(john.get_refs(name, project, filter="heads/", top=50)), 50)


@checks.run
def a_pull_request_is_opened_once_found_and_changed():
    source = f"refs/heads/{twin['changedBranch']}"
    new = GitPullRequest(source_ref_name=source, target_ref_name="refs/heads/main", title="One more file")
    equal(john.create_pull_request(new, name, project).pull_request_id, 1)
    refused = raises(AzureDevOpsServiceError, lambda: john.create_pull_request(new, name, project))
    assert "TF401179" in str(refused), refused
    criteria = GitPullRequestSearchCriteria(status="active", source_ref_name=source)
    equal([pull.pull_request_id for pull in john.get_pull_requests(name, criteria, project)], [1])
    changed = john.update_pull_request(GitPullRequest(title="New"), name, 1, project)
    equal(changed.title, "New")


@checks.run
def an_unknown_repository_is_not_found():
    refused = raises(AzureDevOpsServiceError, lambda: john.get_repository("none", project))
    assert "TF401019" in str(refused), refused


checks.finish()
