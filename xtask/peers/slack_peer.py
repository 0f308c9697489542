"""Tries the Slack twin with slack_sdk."""

import json
import sys
import urllib.parse
import urllib.request

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation import TokenRotator

from checks import Checks, equal, raises

twin = json.load(open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin)
checks = Checks()
app = twin["app"]


def client(token=None):
    return WebClient(token, base_url=f"{twin['url']}/api/")


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def code():
    """The code that the authorize page sends back."""
    asked = {"client_id": app["id"], "redirect_uri": app["redirect"], "scope": ",".join(twin["scopes"])}
    try:
        urllib.request.build_opener(Stay).open(f"{twin['url']}/oauth/v2/authorize?{urllib.parse.urlencode(asked)}")
    except urllib.error.HTTPError as answer:
        return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["code"][0]


@checks.run
def a_token_says_whose_it_is():
    me = client(twin["token"]).auth_test()
    equal((me["team"], me["user"]), ("acme", "valetkey"))
    equal(me.headers["x-oauth-scopes"], ",".join(twin["scopes"]))


@checks.run
def a_message_is_posted_and_read_in_its_thread():
    bot = client(twin["token"])
    first = bot.chat_postMessage(channel=twin["channel"], text="hello")
    bot.chat_postMessage(channel=twin["channel"], text="again", thread_ts=first["ts"])
    thread = bot.conversations_replies(channel=twin["channel"], ts=first["ts"])
    equal([message["text"] for message in thread["messages"]], ["hello", "again"])


@checks.run
def channels_come_in_several_pages():
    seen = [channel["id"] for page in client(twin["token"]).conversations_list(limit=100) for channel in page["channels"]]
    equal((len(seen), len(set(seen))), (twin["channels"], twin["channels"]))


@checks.run
def failures_are_told_by_word():
    for token, error in [("xoxb-unknown", "invalid_auth"), (twin["revokedToken"], "token_revoked")]:
        equal(raises(SlackApiError, client(token).auth_test).response["error"], error)
    read_only = client(twin["readOnlyToken"])
    refused = raises(SlackApiError, lambda: read_only.chat_postMessage(channel=twin["channel"], text="hi"))
    equal((refused.response["error"], refused.response["needed"]), ("missing_scope", "chat:write"))


@checks.run
def an_installation_rotates():
    ask = {"client_id": app["id"], "client_secret": app["secret"]}
    installed = client().oauth_v2_access(code=code(), redirect_uri=app["redirect"], **ask)
    equal(installed["expires_in"], 43200)
    installation = Installation(
        user_id=installed["authed_user"]["id"],
        bot_token=installed["access_token"],
        bot_refresh_token=installed["refresh_token"],
        bot_token_expires_in=60,
    )
    rotator = TokenRotator(client=client(), **ask)
    rotated = rotator.perform_token_rotation(installation=installation, minutes_before_expiration=120)
    assert rotated.bot_token != installed["access_token"], rotated.bot_token
    equal(client(rotated.bot_token).auth_test()["user"], "valetkey")
    used = lambda: client().oauth_v2_access(
        grant_type="refresh_token", refresh_token=installed["refresh_token"], **ask
    )
    equal(raises(SlackApiError, used).response["error"], "invalid_refresh_token")


checks.finish()
