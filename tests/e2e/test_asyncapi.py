#!/usr/bin/env python3
"""proto/asyncapi.json: well formed, and true of the daemon. Each member that it describes is known to the daemon, no other is, and what PROTOCOL.md's conversations
send and get fits its schemas."""
import json
import os
import re
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from millraced import Connection, Daemon  # noqa: E402

with open(os.path.join(ROOT, "proto", "asyncapi.json"), encoding="utf-8") as file:
    API = json.load(file)
MESSAGES = API["components"]["messages"]
OPS = sorted(name for name in MESSAGES if not name.endswith("_reply"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}


def resolve(reference):
    node = API
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def mistakes(schema, value, where="it"):
    """What of the value does not fit. Knows the words of JSON Schema that the page uses, and fails on others."""
    known = {"$ref", "type", "description", "const", "enum", "not", "oneOf", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "minimum",
             "maximum", "minLength", "maxLength", "pattern"}
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        return mistakes(resolve(schema["$ref"]), value, where)
    if "oneOf" in schema:
        return [] if any(not mistakes(option, value, where) for option in schema["oneOf"]) else [f"{where} fits none"]
    found = []
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        return [f"{where} is no {kind}: {value!r}"]
    if "not" in schema and not mistakes(schema["not"], value, where):
        found.append(f"{where} is what it must not be")
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}")
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{where} is {value}")
    if isinstance(value, (str, list)):
        low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
        if not schema.get(low, 0) <= len(value) <= schema.get(high, len(value)):
            found.append(f"{where} has length {len(value)}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where} is {value!r}")
    for item in value if isinstance(value, list) and "items" in schema else []:
        found += mistakes(schema["items"], item, f"an element of {where}")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{where} lacks {name}" for name in schema.get("required", ()) if name not in value]
        for name, member in value.items():
            if name in schema["properties"]:
                found += mistakes(schema["properties"][name], member, name)
            elif schema.get("additionalProperties") is False:
                found.append(f"{where} has {name}")
    return found


class Page(unittest.TestCase):
    def test_it_is_well_formed(self):
        self.assertEqual(API["asyncapi"], "3.0.0")
        for reference in references(API):
            resolve(reference)
        for op in OPS:
            self.assertIn(op, API["operations"])
            self.assertIn(f"{op}_reply", MESSAGES)

    def test_what_is_answered_in_the_protocols_conversations_fits(self):
        with open(os.path.join(ROOT, "proto", "PROTOCOL.md"), encoding="utf-8") as file:
            lines = re.findall(r"^    ([B]?[<>]) (\{.*\})$", file.read(), re.M)
        asked, n = {}, 0  # what each side asked last by that id
        for mark, text in lines:
            try:
                message = json.loads(text.replace("…", ""))
            except ValueError:
                continue  # an example of what is no JSON
            side = mark[:-1]
            if mark.endswith(">"):
                asked[side, message.get("id")] = message
                continue
            request = asked.get((side, message.get("id")), {})
            if message.get("status") == "error" or request.get("op") not in MESSAGES:
                continue
            self.assertEqual(mistakes(MESSAGES[request["op"]]["payload"], request), [], text)
            reply = MESSAGES[request["op"] + "_reply"]["payload"]
            self.assertEqual(mistakes(reply, message), [], text)
            if request["op"] not in ("stat", "alter"):  # a row has its own page
                self.assertEqual(set(message) - set(reply["properties"]), set(), text)
            n += 1
        self.assertGreater(n, 40)

    def test_a_wrong_request_does_not_fit(self):
        put = MESSAGES["put"]["payload"]
        self.assertEqual(mistakes(put, {"id": 1, "op": "put", "channel": "jobs", "value": 1}), [])
        for wrong in ({"op": "put"}, {"op": "take", "channel": "a"}, {"op": "put", "channel": ".a"}, {"op": "put", "channel": "a", "value": None}, {"op": "put", "channel": "a", "timeout": 1},
                      {"op": "put", "channel": "a", "timeout_ms": -1}, {"op": "put", "channel": "a", "values": []}):
            self.assertNotEqual(mistakes(put, wrong), [], wrong)


ENOUGH = {"channel": "jobs", "kind": "bounded", "arms": [{"take": "jobs"}], "request": 7, "lease": "0" * 32, "lease_ms": 1, "from": "jobs", "to": "done", "protocol": 1}


class Members(unittest.TestCase):
    def test_the_daemon_knows_each_member_and_no_other(self):
        every = {name for op in OPS for name in MESSAGES[op]["payload"]["properties"]}
        with Daemon() as daemon, Connection(daemon) as connection:
            for op in OPS:
                described = MESSAGES[op]["payload"]["properties"]
                for name in sorted(every - {"id", "op"}):
                    enough = {need: ENOUGH[need] for need in MESSAGES[op]["payload"]["required"] if need in ENOUGH}
                    if op == "put" and name != "values":
                        enough["value"] = 1
                    if op == "tap" and name != "to":
                        enough["kind"] = "unbuffered"
                    reply = connection.ask(**{"id": 1, "op": op, **enough, name: {"no": ["such", "type"]}})
                    if op == "hello" and name not in described:
                        continue  # it ignores what it does not know
                    if name in ("value",) and name in described:
                        continue  # any type will do
                    self.assertEqual(reply["error"] in ("bad_request", "bad_channel", "bad_value"), True, (op, name, reply))
                    self.assertIn(name, reply["message"], (op, name))
                    is_unknown = "is no member of" in reply["message"]
                    self.assertEqual(is_unknown, name not in described, (op, name, reply))


if __name__ == "__main__":
    unittest.main()
