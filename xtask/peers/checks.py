"""Counts checks and says at the end how they went."""

import sys
import traceback
from urllib.parse import parse_qs, urlsplit

import requests


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def run(self, function):
        """Runs one check; its name is what it checks."""
        name = function.__name__.replace("_", " ")
        try:
            function()
        except Exception:
            self.failed += 1
            print(f"FAILED {name}", file=sys.stderr)
            traceback.print_exc()
        else:
            self.passed += 1
            print(f"ok {name}")
        return function

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def raises(kind, action):
    """The exception of this kind that the action ends in."""
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} expected")


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def consented_code(authorize, app, scope):
    """The code that the authorize page sends the browser away with."""
    asked = {"client_id": app["clientId"], "redirect_uri": app["redirectUri"], "response_type": "code", "scope": scope}
    answer = requests.get(authorize, params={**asked, "state": "s"}, allow_redirects=False)
    returned = parse_qs(urlsplit(answer.headers["location"]).query)
    equal(returned["state"], ["s"])
    return returned["code"][0]
