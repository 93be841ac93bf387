"""The administration interface as people use it: by HTTP, and by `rustfs-admin`."""

import http.client
import json
import os
import pathlib
import re
import subprocess

import yaml

from support.cluster import BINARY, ENVIRONMENT, ROOT

ADMIN_BINARY = pathlib.Path(os.environ.get("RUSTFS_ADMIN_BINARY", BINARY.parent / "rustfs-admin"))


class Run:
    """What a command has come to."""

    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    @property
    def document(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}{self.err}"


def rustfs_admin(*arguments, node=None, environment=None, timeout=120):
    """Runs the program, without a terminal. `node`: whom it asks, where the arguments do not say."""
    command = [str(ADMIN_BINARY), *map(str, arguments)]
    if node is not None:
        command += ["--endpoint", f"http://127.0.0.1:{node.admin_port}"]
    return Run(subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, env={**ENVIRONMENT, **(environment or {})}))


def ask(node, method, path, document=None, body=None, headers=None, token=None, timeout=60):
    """One request: (status, document)."""
    fields = dict(headers or {})
    if token:
        fields["Authorization"] = f"Bearer {token}"
    if document is not None:
        body = json.dumps(document)
    if body is not None:
        fields.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection("127.0.0.1", node.admin_port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=fields)
        response = connection.getresponse()
        text = response.read().decode()
        reply = json.loads(text) if response.getheader("Content-Type") == "application/json" else text
        check(method, path, response.status, reply)
        return response.status, reply
    finally:
        connection.close()


# The document that says what may be answered.

INTERFACE = yaml.safe_load((ROOT / "docs" / "admin-api.yaml").read_text())


def check(method, path, status, reply):
    """Asserts that an answer is what docs/admin-api.yaml promises."""
    path = path.split("?")[0]
    item = next((item for pattern, item in INTERFACE["paths"].items() if re.fullmatch(re.sub(r"\{\w+\}", "[^/]*", pattern), path)), None)
    if item is None or method.lower() not in item:
        assert status in (404, 405) and valid("#/components/schemas/Error", reply) is None, (method, path, status, reply)
        return
    responses = item[method.lower()]["responses"]
    response = responses.get(str(status), responses.get("default"))
    assert response is not None, f"{method} {path} answers {status}, which is in no document"
    if "$ref" in response:
        response = resolve(response["$ref"])
    for schema in (content["schema"] for kind, content in response["content"].items() if kind == "application/json"):
        problem = valid(schema, reply)
        assert problem is None, f"{method} {path}: {problem}: {reply}"


def resolve(reference):
    place = INTERFACE
    for part in reference.removeprefix("#/").split("/"):
        place = place[part]
    return place


KINDS = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def valid(schema, value, place="the answer"):
    """The first rule of the schema that the value breaks, or None. The part of JSON schema that the document uses, and no more."""
    if isinstance(schema, str):
        schema = {"$ref": schema}
    if "$ref" in schema:
        return valid(resolve(schema["$ref"]), value, place)
    unknown = set(schema) - {
        "type", "enum", "required", "additionalProperties", "properties", "items", "minimum", "maximum", "minLength", "maxLength",
        "description", "default"}
    assert not unknown, f"a rule that nobody checks: {unknown}"
    kind = schema["type"]
    if not isinstance(value, KINDS[kind]) or kind == "integer" and isinstance(value, bool):
        return f"{place} is no {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{place} is {value!r}, which is none of {schema['enum']}"
    if kind == "integer" and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{place} is {value}, which is out of range"
    if kind == "string" and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{place} has a length that it cannot have"
    if kind == "array":
        problems = (valid(schema["items"], element, f"{place}[{number}]") for number, element in enumerate(value))
        return next((problem for problem in problems if problem), None)
    if kind == "object":
        for name in schema.get("required", []):
            if name not in value:
                return f"{place} has no {name}"
        for name, element in value.items():
            if name not in schema["properties"]:
                return f"{place} has a {name}, which is in no document"
            problem = valid(schema["properties"][name], element, f"{place}.{name}")
            if problem:
                return problem
    return None
