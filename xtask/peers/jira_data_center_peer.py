"""Tries the Jira Data Center twin with jira and atlassian-python-api."""

import json
import sys

import jira
from atlassian import Jira

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()


@checks.run
def a_token_signs_in_and_searches_every_page():
    client = jira.JIRA(twin["url"], token_auth=twin["token"], max_retries=0)
    assert not client._is_cloud
    equal(client.myself()["name"], twin["username"])
    found = client.search_issues("project = PROJ", maxResults=False)
    equal(len({issue.key for issue in found}), twin["issues"])


@checks.run
def an_unknown_token_is_refused():
    client = jira.JIRA(twin["url"], token_auth="unknown", max_retries=0)
    equal(raises(jira.JIRAError, client.myself).status_code, 401)


@checks.run
def a_second_client_reads_an_issue():
    client = Jira(twin["url"], token=twin["token"])
    equal(client.get("rest/api/2/myself")["displayName"], twin["name"])
    equal(client.issue("PROJ-1")["fields"]["summary"], "Issue 1")


checks.finish()
