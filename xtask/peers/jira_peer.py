"""Tries the Jira Cloud twin with jira and atlassian-python-api."""

import json
import sys

import jira
from atlassian.jira import JiraCloud

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
gateway = f"{twin['url']}/ex/jira/{twin['cloudId']}"


def john(token=twin["token"], url=twin["url"]):
    return jira.JIRA(url, basic_auth=(twin["email"], token), max_retries=0)


@checks.run
def the_cloud_is_recognised():
    client = john()
    assert client._is_cloud
    equal(client.myself()["displayName"], twin["name"])


@checks.run
def a_scoped_token_signs_in_at_the_gateway():
    equal(john(twin["scopedToken"], gateway).myself()["emailAddress"], twin["email"])
    refused = raises(jira.JIRAError, lambda: john(twin["scopedToken"]).myself())
    equal(refused.status_code, 401)


@checks.run
def a_search_reads_every_page():
    found = john().enhanced_search_issues("project = PROJ", maxResults=0, fields="summary")
    equal(len({issue.key for issue in found}), twin["issues"])
    equal(found[0].fields.summary, "Issue 1")


@checks.run
def an_issue_is_created_commented_and_moved():
    client = john()
    issue = client.create_issue(project="PROJ", summary="New", issuetype={"name": "Task"}, description="Text")
    equal(issue.fields.description, "Text")
    client.add_comment(issue, "A comment")
    client.transition_issue(issue, "31")
    issue = client.issue(issue.key)
    equal(issue.fields.status.name, "Done")
    equal(issue.fields.comment.comments[0].body, "A comment")


@checks.run
def a_second_client_pages_and_reads_documents():
    client = JiraCloud(twin["url"], username=twin["email"], password=twin["token"])
    equal(client.get("rest/api/3/myself")["emailAddress"], twin["email"])
    first = client.enhanced_jql("project = PROJ", fields="summary", limit=100)
    equal((len(first["issues"]), first["isLast"]), (100, False))
    second = client.enhanced_jql("project = PROJ", fields="summary", limit=100, nextPageToken=first["nextPageToken"])
    equal(second["issues"][0]["fields"]["summary"], "Issue 101")


checks.finish()
