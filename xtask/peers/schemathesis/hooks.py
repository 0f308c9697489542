"""Puts the requests that `seed.py` wrote into the description as examples, on Schemathesis's side alone.

The description that the program gives has no test's ids in it.
"""

import json
import os
import pathlib

import schemathesis

REQUESTS = json.loads(pathlib.Path(os.environ["REQUESTS"]).read_text("utf-8"))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            request = REQUESTS.get(operation.get("operationId"), {})
            for parameter in operation.get("parameters", []):
                given = request.get(parameter["in"], {})
                if parameter["name"] in given:
                    parameter["example"] = given[parameter["name"]]
            if "body" in request:
                operation["requestBody"]["content"]["application/json"]["example"] = request["body"]
