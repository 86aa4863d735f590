"""A client of the Verifone Customer API, written from its published reference alone.

Drives every call against a running server:

    patron sandbox --print > sandbox.json
    python3 verifone_client.py --credentials sandbox.json

Reads the `verifone` part of the sandbox JSON (or that part alone), prints `N passed, M failed`, and
exits 1 when something failed. Needs nothing but Python's own library.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid

TOKEN_PATH = "/oauth2/realms/root/realms/VerifoneServices/access_token"


class NotFound(Exception):
    """HTTP 404."""


class ServerFault(Exception):
    """HTTP 500."""


class Client:
    """Basic or Bearer sign-in, the five operations, and nothing that the reference does not have:
    no Accept header, JSON decoded from every answer but 204, 404 and 500 raised."""

    def __init__(self, base_url, user_id=None, api_key=None, token=None):
        self.base_url = base_url
        if token:
            self.authorization = "Bearer " + token
        else:
            pair = f"{user_id}:{api_key}".encode()
            self.authorization = "Basic " + base64.b64encode(pair).decode()

    def send(self, method, path, body=None):
        request = urllib.request.Request(self.base_url + path, method=method)
        request.add_header("Authorization", self.authorization)
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def call(self, method, path, body=None):
        status, _, text = self.send(method, path, body)
        if status == 404:
            raise NotFound(json.loads(text)["message"])
        if status == 500:
            raise ServerFault(json.loads(text)["message"])
        return None if status == 204 else json.loads(text)

    def create(self, customer):
        return self.call("POST", "/v2/customer", customer)

    def read(self, customer_id):
        return self.call("GET", f"/v2/customer/{customer_id}")

    def update(self, customer_id, customer):
        return self.call("POST", f"/v2/customer/{customer_id}", customer)

    def delete(self, customer_id):
        return self.call("DELETE", f"/v2/customer/{customer_id}")

    def list(self, search, **options):
        query = urllib.parse.urlencode({"search": search, **options})
        return self.call("GET", f"/v2/customer?{query}")

    def pages(self, search, page_size, **options):
        """Every page, until one is shorter than asked for."""
        number = 1
        while True:
            rows = self.list(search, page_size=page_size, page_number=number, **options)
            yield from rows
            if len(rows) < page_size:
                return
            number += 1


class Checks:
    """Counts what holds and what does not."""

    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, title, holds, seen=None):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {title}: {seen!r}")

    def equal(self, title, seen, wanted):
        self.check(title, seen == wanted, seen)

    def raises(self, title, kind, act):
        try:
            self.check(title, False, act())
        except kind:
            self.check(title, True)

    def is_error(self, title, body, code):
        members = {"code": int, "message": str, "details": dict, "timestamp": int}
        shaped = isinstance(body, dict) and set(body) == set(members)
        shaped = shaped and all(type(body[name]) is kind for name, kind in members.items())
        self.check(title, shaped and body["code"] == code, body)


def whole(entity, mark):
    side = {
        "address_1": "Hauptstr. 1", "address_2": "Hof", "address_3": "3. Stock", "city": "Berlin",
        "country_code": "DE", "middle_name": "M.", "phone": "+49 30 7654321",
        "postal_code": "10115", "state": "BE",
    }
    return {
        "entity_id": entity,
        "billing": {**side, "first_name": "Jane", "last_name": mark},
        "shipping": {**side, "first_name": "John", "last_name": mark},
        "company_name": "Acme GmbH", "company_registration_number": "HRB 12345",
        "email_address": "jane.doe@example.com", "phone_number": "+49 30 1234567",
        "work_phone": "(030) 123-456.7", "title": "Prof. Dr.", "tax": {"identifier": "123456789"},
        "language": "de",
    }


def customers(client, entity, checks):
    mark = "Doe" + uuid.uuid4().hex[:8]
    sent = whole(entity, mark)
    made = client.create(sent)
    checks.equal("create keeps every field", {k: made.get(k) for k in sent}, sent)
    checks.equal("fresh times are equal", made["created_at"], made["updated_at"])
    checks.check("times are UTC with milliseconds", made["created_at"][-5:-4] == "."
                 and made["created_at"].endswith("Z"), made["created_at"])
    checks.equal("ids are UUIDs", str(uuid.UUID(made["id"])), made["id"])
    checks.equal("read", client.read(made["id"]), made)
    checks.equal("read, change nothing, send back", client.update(made["id"], made), made)
    changed = client.update(made["id"], {**made, "title": "Dr"})
    checks.equal("read, change, send back", changed["title"], "Dr")
    checks.check("the time moves", changed["updated_at"] > made["updated_at"], changed)
    replaced = client.update(made["id"], {"entity_id": entity, "billing": {
        "first_name": "Jane", "last_name": mark}})
    checks.equal("update replaces", sorted(replaced),
                 ["billing", "created_at", "entity_id", "id", "updated_at"])
    company = client.create({"entity_id": entity, "company_name": "Acme GmbH"})
    checks.equal("a company needs no person", company["company_name"], "Acme GmbH")
    refused = client.create({"entity_id": entity})
    checks.is_error("neither company nor person", refused, 126)
    checks.check("the fault is named", "body.company_name" in refused["details"], refused)
    checks.is_error("no entity", client.create({"company_name": "A"}), 126)
    checks.is_error("a foreign entity", client.create(
        {"entity_id": str(uuid.uuid4()), "company_name": "A"}), 113)
    for name, value in [("phone_number", "555 ext 3"), ("title", "Dr2"), ("language", "german"),
                        ("email_address", "nobody"), ("tax", {"identifier": "12a"})]:
        body = {"entity_id": entity, "company_name": "A", name: value}
        checks.is_error(f"bad {name}", client.create(body), 107)
    for length, fits in [(50, True), (51, False)]:
        body = {"entity_id": entity, "company_name": "A", "billing": {"address_1": "x" * length}}
        answer = client.create(body)
        checks.equal(f"{length} characters of address", "id" in answer, fits)
        if "id" in answer:
            client.delete(answer["id"])
    status, _, text = client.send("DELETE", f"/v2/customer/{made['id']}")
    checks.equal("delete is 204 and empty", (status, text), (204, b""))
    for title, act in [
        ("deleted: read", lambda: client.read(made["id"])),
        ("deleted: update", lambda: client.update(made["id"], sent)),
        ("deleted: delete", lambda: client.delete(made["id"])),
    ]:
        checks.raises(title, NotFound, act)
    checks.equal("deleted: list", client.list(f"billing.last_name=={mark}"), [])
    client.delete(company["id"])
    status, headers, text = client.send("PUT", f"/v2/customer/{made['id']}", {})
    checks.equal("PUT is refused", (status, headers["Allow"]), (405, "GET, POST, DELETE"))
    checks.is_error("PUT is refused in shape", json.loads(text), 110)
    checks.is_error("an id that is no UUID", client.read("123"), 107)


def searches(client, entity, checks):
    mark = "List" + uuid.uuid4().hex[:8]
    rows = []
    for number in range(5):
        rows.append(client.create({
            "entity_id": entity, "company_name": f"{mark} {number}",
            "email_address": f"{number}@example.com", "phone_number": f"+49{number}",
            "billing": {"first_name": "Anna Maria", "last_name": mark,
                        "country_code": ["DE", "AT"][number % 2]},
            "shipping": {"phone": str(number * 5)},
        }))
    ids = [row["id"] for row in rows]

    def found(search, **options):
        rows = client.list(f"billing.last_name=={mark};({search})", **options)
        return [ids.index(row["id"]) for row in rows] if isinstance(rows, list) else rows

    for search, wanted in [
        ("email_address==2@example.com", [2]),
        ("email_address!=2@example.com", [0, 1, 3, 4]),
        ("billing.country_code=in=(AT,CH)", [1, 3]),
        ("billing.country_code=out=(AT,CH)", [0, 2, 4]),
        (f"company_name=regex='^{mark} [13]$'", [1, 3]),
        ("billing.first_name=='Anna Maria'", [0, 1, 2, 3, 4]),
        ('billing.first_name=="Anna Maria"', [0, 1, 2, 3, 4]),
        ("shipping.phone=gt=5", [2, 3, 4]),
        ("shipping.phone=le=5", [0, 1]),
        ("phone_number==+493", [3]),
        (f"entity_id=={entity}", [0, 1, 2, 3, 4]),
        (f"id=={ids[4]},id=={ids[0]};billing.country_code==AT", [4]),
        (f"(id=={ids[4]},id=={ids[0]});billing.country_code==DE", [0, 4]),
        ("title==Dr", []),
        ("title!=Dr", [0, 1, 2, 3, 4]),
        ("company_name==*", []),
        ("created_at=ge=2025-01-01T00:00:00Z;created_at=lt=2100-01-01", [0, 1, 2, 3, 4]),
        (f"updated_at=gt={rows[4]['updated_at']}", []),
        (f"created_at=={rows[0]['created_at']};id=={ids[0]}", [0]),
    ]:
        checks.equal(search, found(search, order_by="ASC"), wanted)
    checks.equal("newest first", found("id!=x"), [4, 3, 2, 1, 0])
    checks.equal("sorted", found("id!=x", order_criteria="email_address", order_by="ASC"),
                 [0, 1, 2, 3, 4])
    paged = client.pages(f"billing.last_name=={mark}", 2, order_by="ASC")
    checks.equal("pages", [row["id"] for row in paged], ids)
    beyond = client.list(f"billing.last_name=={mark}", page_number=9)
    checks.equal("past the end", beyond, [])
    checks.equal("the documented call", client.call(
        "GET", "/v2/customer?search=id==123&order_by=ASC&order_criteria=email_address"
        "&page_size=1&page_number=2"), [])
    checks.is_error("no search", client.call("GET", "/v2/customer"), 126)
    for bad in ["title==Dr,", "nickname==x", "created_at=regex=2025", "title=gt=a", "title=regex='('"]:
        checks.is_error(bad, client.list(bad), 107)
    for options in [{"order_by": "up"}, {"order_criteria": "language"}, {"page_size": 0},
                    {"page_number": "x"}]:
        checks.is_error(str(options), client.list("id!=x", **options), 107)
    for customer_id in ids:
        client.delete(customer_id)


def sign_in(keys, checks):
    host = keys["base_url"].removesuffix("/oidc/customer-service")

    def token(secret):
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": keys["user_id"],
            "client_secret": secret, "scope": "openid customer",
        })
        request = urllib.request.Request(host + TOKEN_PATH, form.encode(), method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    status, body = token(keys["api_key"])
    checks.equal("token", (status, body.get("scope")), (200, "openid customer"))
    payload = body["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    checks.equal("claims", (claims["sub"], claims["entity_id"]), (keys["user_id"], keys["entity_id"]))
    bearer = Client(keys["base_url"], token=body["access_token"])
    checks.equal("bearer", bearer.list("id==1"), [])
    status, body = token("wrong")
    checks.equal("wrong secret", (status, body["error"]), (400, "invalid_client"))
    for client in [Client(keys["base_url"], token="x.y.z"),
                   Client(keys["base_url"], keys["user_id"], "wrong")]:
        checks.is_error("refused", client.list("id==1"), 116)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--credentials", required=True)
    arguments = parser.parse_args()
    with open(arguments.credentials, encoding="utf-8") as file:
        keys = json.load(file)
    keys = keys.get("verifone", keys)
    client = Client(keys["base_url"], keys["user_id"], keys["api_key"])
    checks = Checks()
    sign_in(keys, checks)
    customers(client, keys["entity_id"], checks)
    searches(client, keys["entity_id"], checks)
    short = Client(keys["base_url"].removesuffix("/oidc/customer-service"), keys["user_id"],
                   keys["api_key"])
    checks.equal("the short mount", short.list("id==1"), [])
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
