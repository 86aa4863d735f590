#!/usr/bin/env python3
"""A client of Monri's customers API, written from the description of that API alone.

Drives every call in all authorization schemes it is open to against a running server and checks the whole
answers. Needs nothing but Python's standard library.

    patron sandbox --print > credentials.json
    python3 monri_client.py --credentials credentials.json

Prints `N passed, M failed` and exits with 1 when something failed. With a member `monri_other` in
the credentials (keys of a second merchant) the separation of merchants is checked too.
"""

import argparse
import hashlib
import http.client
import json
import sys
import time
import urllib.parse
import uuid

KEYS = {
    "status", "id", "uuid", "merchant_customer_id", "description", "email", "name", "phone",
    "zip_code", "city", "address", "country", "metadata", "deleted", "created_at", "updated_at",
    "deleted_at",
}
SCHEMES = ("WP3-v2.1", "WP3-v2", "Bearer")
MILLISECONDS = "milliseconds"


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        self.json = json.loads(text) if text else None


class Client:
    """Signs every call with one scheme."""

    def __init__(self, base_url, token, key, scheme="WP3-v2.1", clock=None):
        self.base_url, self.token, self.key = base_url, token, key
        self.scheme, self.clock, self.bearer = scheme, clock, None

    def timestamp(self):
        now = time.time()
        return str(int(now * 1000)) if self.clock == MILLISECONDS else str(int(now))

    def authorization(self, fullpath, body):
        if self.scheme == "Bearer":
            self.bearer = self.bearer or self.fetch_token(["customers", "payment-methods"])
            return "Bearer " + self.bearer
        # The older scheme is for requests with a body, as the plug-ins use it.
        scheme = self.scheme if body else "WP3-v2.1"
        timestamp = self.timestamp()
        signed = self.key + timestamp + self.token
        if scheme == "WP3-v2.1":
            signed += fullpath
        digest = hashlib.sha512(signed.encode() + body).hexdigest()
        return f"{scheme} {self.token} {timestamp} {digest}"

    def fetch_token(self, scopes):
        answer = self.oauth(scopes)
        if answer.status != 200:
            raise AssertionError(f"no token: {answer.status} {answer.text}")
        return answer.json["access_token"]

    def oauth(self, scopes, secret=None):
        body = {
            "client_id": self.token,
            "client_secret": self.key if secret is None else secret,
            "grant_type": "client_credentials",
            "scopes": scopes,
        }
        return self.send("POST", "/v2/oauth", json.dumps(body).encode(), {})

    def call(self, method, fullpath, body=None, authorization=None):
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        header = self.authorization(fullpath, raw) if authorization is None else authorization
        return self.send(method, fullpath, raw, {"Authorization": header})

    def send(self, method, fullpath, body, headers):
        base = urllib.parse.urlsplit(self.base_url)
        secure = base.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(base.hostname, base.port, timeout=30)
        headers = dict(headers)
        if body:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, fullpath, body=body or None, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read().decode())
        finally:
            connection.close()


class Checks:
    def __init__(self):
        self.passed, self.failed, self.place = 0, 0, ""

    def that(self, what, holds, shown=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.place}: {what} {shown}")

    def same(self, what, have, want):
        self.that(what, have == want, f"\n  have {have!r}\n  want {want!r}")

    def error(self, what, answer, status, word):
        body = answer.json
        shape = isinstance(body, dict) and body.get("status") == word
        told = shape and isinstance(body.get("message"), str) and body["message"] != ""
        self.that(what, answer.status == status and told, f"{answer.status} {answer.text}")


def is_customer(checks, what, customer):
    checks.same(f"{what}: keys", set(customer), KEYS)
    checks.same(f"{what}: status", customer["status"], "approved")
    checks.same(f"{what}: id is uuid", customer["id"], customer["uuid"])
    checks.that(f"{what}: uuid", str(uuid.UUID(customer["uuid"])) == customer["uuid"])
    checks.that(f"{what}: metadata", isinstance(customer["metadata"], dict))
    for name in ("created_at", "updated_at"):
        try:
            time.strptime(customer[name], "%Y-%m-%dT%H:%M:%SZ")
            checks.that(f"{what}: {name}", True)
        except ValueError:
            checks.that(f"{what}: {name}", False, customer[name])


def life_of_a_customer(checks, client):
    """Create, find, change, list, delete."""
    own_id = "own/" + uuid.uuid4().hex + " č"
    sent = {
        "merchant_customer_id": own_id, "description": "Customer", "email": "email@email.com",
        "name": "Test", "phone": "033 123 456", "zip_code": "71000", "city": "Sarajevo",
        "address": "Titova 1", "country": "BA", "metadata": {"key": "value", "n": 1},
    }
    created = client.call("POST", "/v2/customers", sent)
    checks.that("create answers 2xx", created.status in (200, 201), created.text)
    customer = created.json
    is_customer(checks, "created", customer)
    for name, value in sent.items():
        checks.same(f"created: {name}", customer[name], value)
    checks.same("created: living", (customer["deleted"], customer["deleted_at"]), (False, None))
    path = "/v2/customers/" + customer["uuid"]
    checks.same("retrieve", client.call("GET", path).json, customer)
    by_id = "/v2/merchants/customers/" + urllib.parse.quote(own_id, safe="")
    checks.same("retrieve by merchant id", client.call("GET", by_id).json, customer)
    again = client.call("POST", "/v2/customers", {"merchant_customer_id": own_id})
    checks.error("a second create with the same id", again, 400, "invalid-request")
    update(checks, client, path, customer)
    lists(checks, client, path)
    methods(checks, client, path, own_id)
    deletion(checks, client, path, by_id)


def update(checks, client, path, customer):
    unset = {name: None for name in (
        "merchant_customer_id", "description", "email", "phone", "zip_code", "city", "address",
        "country", "metadata")}
    answer = client.call("POST", path, {**unset, "name": "Ana Anić"})
    checks.same("update answers", answer.status, 200)
    want = {**customer, "name": "Ana Anić", "updated_at": answer.json["updated_at"]}
    checks.same("null is not provided", answer.json, want)
    answer = client.call("POST", path, {"metadata": {"key": None, "more": "x"}})
    checks.same("metadata is merged", answer.json["metadata"], {"n": 1, "more": "x"})
    answer = client.call("POST", path, {"metadata": {}})
    checks.same("empty metadata changes nothing", answer.json["metadata"], {"n": 1, "more": "x"})
    checks.same("retrieve after update", client.call("GET", path).json, answer.json)
    for name, value in (
        ("email", "x" * 201), ("name", "x" * 51), ("name", ""), ("city", "ab"), ("phone", 5),
        ("country", "BIH"), ("zip_code", "1234567890"), ("metadata", "x"),
    ):
        answer = client.call("POST", path, {name: value})
        checks.error(f"update refuses {name} {str(value)[:12]!r}", answer, 400, "invalid-request")


def lists(checks, client, path):
    other = client.call("POST", "/v2/customers", {}).json
    is_customer(checks, "empty create", other)
    whole = client.call("GET", "/v2/customers")
    checks.same("list answers", whole.status, 200)
    checks.same("list envelope", set(whole.json), {"status", "data"})
    checks.that("list holds at most 50", len(whole.json["data"]) <= 50)
    checks.same("newest first", whole.json["data"][0], other)
    for entry in whole.json["data"][:2]:
        is_customer(checks, "list entry", entry)
    second = client.call("GET", "/v2/customers?limit=1&offset=1").json["data"]
    checks.same("second page", ["/v2/customers/" + entry["uuid"] for entry in second], [path])
    for query in ("limit=0", "limit=-1", "limit=x", "offset=-1", "offset=x"):
        answer = client.call("GET", "/v2/customers?" + query)
        checks.error(f"list refuses {query}", answer, 400, "invalid-request")
    client.call("DELETE", "/v2/customers/" + other["uuid"])


def methods(checks, client, path, own_id):
    empty = {"status": "approved", "data": []}
    answer = client.call("GET", path + "/payment-methods?limit=20&offset=0")
    checks.same("payment methods", (answer.status, answer.json), (200, empty))
    by_id = "/v2/customers/" + urllib.parse.quote(own_id, safe="") + "/payment-methods"
    answer = client.call("GET", by_id)
    checks.same("payment methods by merchant id", (answer.status, answer.json), (200, empty))


def deletion(checks, client, path, by_id):
    answer = client.call("DELETE", path)
    identity = path.rsplit("/", 1)[1]
    want = {"status": "approved", "id": identity, "uuid": identity, "deleted": True}
    checks.same("delete", (answer.status, answer.json), (200, want))
    gone = client.call("GET", path).json
    is_customer(checks, "deleted", gone)
    checks.that("deleted is marked", gone["deleted"] is True and gone["deleted_at"] is not None)
    checks.same("second delete", client.call("DELETE", path).json, want)
    checks.same("deleted_at stays", client.call("GET", path).json, gone)
    checks.error("by merchant id", client.call("GET", by_id), 404, "invalid-request")
    answer = client.call("POST", path, {"name": "x"})
    checks.error("update after delete", answer, 404, "invalid-request")
    listed = client.call("GET", "/v2/customers?limit=1000").json["data"]
    checks.that("not listed", all(entry["uuid"] != identity for entry in listed))
    answer = client.call("GET", path + "/payment-methods")
    checks.same("no payment methods", answer.json, {"status": "approved", "data": []})
    unknown = client.call("GET", "/v2/customers/" + str(uuid.uuid4()))
    checks.error("unknown customer", unknown, 404, "invalid-request")


def refusals(checks, client):
    """Whatever is not signed over exactly what was sent."""
    target = "/v2/customers?limit=1"
    timestamp = client.timestamp()

    def header(scheme, *parts):
        text = "".join(parts).encode()
        return f"{scheme} {client.token} {timestamp} {hashlib.sha512(text).hexdigest()}"

    key, token = client.key, client.token
    good = header("WP3-v2.1", key, timestamp, token, target)
    checks.same("the digest itself", client.call("GET", target, authorization=good).status, 200)
    upper = good[:-128] + good[-128:].upper()
    checks.same("upper case", client.call("GET", target, authorization=upper).status, 200)
    for what, bad in (
        ("path without query", header("WP3-v2.1", key, timestamp, token, "/v2/customers")),
        ("other key", header("WP3-v2.1", key + "x", timestamp, token, target)),
        ("body that was not sent", header("WP3-v2.1", key, timestamp, token, target, "{}")),
        ("digest of another scheme", header("WP3-v2.1", key, timestamp, token)),
        ("the older scheme without a body", header("WP3-v2", key, timestamp, token)),
        ("a path as body", header("WP3-v2", key, timestamp, token, target)),
        ("unknown merchant", good.replace(token, "0" * 40)),
        ("no digest", f"WP3-v2.1 {token} {timestamp}"),
        ("client scheme", f"WP3-v2-Client {token}"),
        ("forged token", "Bearer a.b.c"),
    ):
        answer = client.call("GET", target, authorization=bad)
        checks.error(f"refuses {what}", answer, 401, "error")
    checks.error("refuses nothing at all", client.send("GET", target, b"", {}), 401, "error")


def tokens(checks, client):
    answer = client.oauth(["customers"])
    checks.same("token", answer.status, 200)
    known = {name: answer.json[name] for name in ("token_type", "expires_in", "status")}
    want = {"token_type": "Bearer", "expires_in": 900, "status": "approved"}
    checks.same("token members", known, want)
    checks.error("wrong secret", client.oauth(["customers"], secret="wrong"), 401, "error")
    narrow = "Bearer " + client.fetch_token(["payments"])
    answer = client.call("GET", "/v2/customers", authorization=narrow)
    checks.error("missing scope", answer, 403, "error")


def other_merchant(checks, client, other):
    path = "/v2/customers/" + client.call("POST", "/v2/customers", {}).json["uuid"]
    for method, target, body in (
        ("GET", path, None), ("POST", path, {"name": "x"}), ("DELETE", path, None),
        ("GET", path + "/payment-methods", None),
    ):
        answer = other.call(method, target, body)
        checks.error(f"another merchant's {method}", answer, 404, "invalid-request")
    checks.same("untouched", client.call("GET", path).json["deleted"], False)
    client.call("DELETE", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--credentials", required=True, help="the sandbox's keys, as JSON")
    with open(parser.parse_args().credentials, encoding="utf-8") as file:
        printed = json.load(file)
    keys = printed.get("monri", printed)

    def client(keys, scheme, clock=None):
        return Client(keys["base_url"], keys["authenticity_token"], keys["merchant_key"],
                      scheme, clock)

    checks = Checks()
    runs = [(scheme, None) for scheme in SCHEMES] + [("WP3-v2.1", MILLISECONDS)]
    for scheme, clock in runs:
        checks.place = scheme if clock is None else f"{scheme} in {clock}"
        life_of_a_customer(checks, client(keys, scheme, clock))
        if "monri_other" in printed:
            other = client(printed["monri_other"], scheme, clock)
            other_merchant(checks, client(keys, scheme, clock), other)
    checks.place = "authorization"
    refusals(checks, client(keys, "WP3-v2.1"))
    tokens(checks, client(keys, "WP3-v2.1"))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
