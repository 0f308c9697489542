"""Tries the Google twin with google-api-python-client and google-auth."""

import json
import sys

from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()


def credentials(refresh_token=twin["refreshToken"]):
    return Credentials(
        twin["expiredToken"],
        refresh_token=refresh_token,
        token_uri=f"{twin['url']}/token",
        client_id=twin["app"]["id"],
        client_secret=twin["app"]["secret"],
        scopes=twin["scopes"],
    )


def api(name, version, path, given):
    options = {"api_endpoint": f"{twin['url']}{path}"}
    return build(name, version, credentials=given, client_options=options, static_discovery=True)


@checks.run
def an_expired_token_is_refreshed_and_every_page_read():
    given = credentials()
    files = api("drive", "v3", "/drive/v3/", given).files()
    request, seen = files.list(pageSize=100), []
    while request is not None:
        page = request.execute()
        seen += [file["id"] for file in page["files"]]
        request = files.list_next(request, page)
    equal((len(seen), len(set(seen))), (twin["files"], twin["files"]))
    assert given.token != twin["expiredToken"]
    equal(given.refresh_token, twin["refreshToken"])


@checks.run
def the_account_is_told():
    about = api("drive", "v3", "/drive/v3/", credentials()).about().get(fields="user").execute()
    equal(about["user"]["emailAddress"], twin["email"])


@checks.run
def a_missing_scope_is_refused():
    calendars = api("calendar", "v3", "/calendar/v3/", credentials()).calendarList()
    refused = raises(HttpError, lambda: calendars.list().execute())
    equal((refused.status_code, refused.error_details[0]["reason"]), (403, "insufficientPermissions"))


@checks.run
def a_dead_refresh_token_is_told():
    files = api("drive", "v3", "/drive/v3/", credentials("1//dead")).files()
    refused = raises(RefreshError, lambda: files.list().execute())
    assert "Token has been expired or revoked." in str(refused), refused


checks.finish()
