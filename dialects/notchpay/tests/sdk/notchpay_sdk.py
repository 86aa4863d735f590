#!/usr/bin/env python3
"""Drives the customer, channel and webhook calls of the Python SDK (notchpay 0.1.0) against a server.

    notchpay_sdk.py --credentials FILE

FILE is the JSON that `patron sandbox --print` prints (the whole of it, or its `notchpay` part).
The SDK has no setting for the host, so the base URL of its HTTP client is replaced. Prints
`N passed, M failed`; ends with 1 when a check failed.
"""

import argparse
import asyncio
import hmac
import http.server
import json
import queue
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

from notchpay import AsyncNotchPay, NotchPay
from notchpay.exceptions import (
    NotchPayAuthenticationError,
    NotchPayError,
    NotchPayValidationError,
)

passed = 0
failures = []


def check(name, holds):
    global passed
    if holds:
        passed += 1
    else:
        failures.append(name)
        print(f"FAILED {name}")


def raises(name, kind, call, **members):
    """The call must raise, with these members."""
    try:
        call()
    except kind as error:
        for member, want in members.items():
            check(f"{name}: {member}", getattr(error, member) == want)
        check(name, True)
    except Exception as error:  # the wrong exception is a failure of the check, not of the run
        print(f"{name}: {error!r}")
        check(name, False)
    else:
        check(name, False)


def credentials():
    parser = argparse.ArgumentParser()
    parser.add_argument("--credentials", required=True)
    with open(parser.parse_args().credentials, encoding="utf-8") as file:
        printed = json.load(file)
    return printed.get("notchpay", printed)


def client(keys, public_key=None, grant_key=None):
    sdk = NotchPay(public_key or keys["public_key"], grant_key=grant_key)
    sdk._client.base_url = keys["base_url"]
    return sdk


def customers(keys):
    sdk = client(keys, grant_key=keys["private_key"]).customers
    mark = uuid.uuid4().hex[:12]
    email = f"awa.{mark}@example.org"
    body = {
        "name": f"Awa {mark}",
        "email": email,
        "phone": "+237670000000",
        "company_name": "Ndiaye SARL",
        "tax_number": "M0123",
        "metadata": {"tier": "gold", "n": 1},
    }
    created = sdk.create(body)
    check("create: code", created.code == 201 and created.status == "Created")
    check("create: message", created.message == "Customer created successfully")
    customer = created.customer
    for member, want in body.items():
        check(f"create: {member}", getattr(customer, member) == want)
    check("create: times", customer.created_at == customer.updated_at)

    seen = sdk.retrieve(customer.id)
    check("retrieve", seen.code == 202 and seen.customer == customer)

    changed = sdk.update(customer.id, {"name": f"Awa Changed {mark}"})
    check("update: code", changed.code == 202 and changed.status == "Accepted")
    check("update: name", changed.customer.name == f"Awa Changed {mark}")
    check("update: the rest stays", changed.customer.email == email)
    check("update: time", changed.customer.updated_at > customer.updated_at)
    cleared = sdk.update(customer.id, {"company_name": None, "metadata": {}})
    check("update: null clears", cleared.customer.company_name is None)
    check("update: metadata", cleared.customer.metadata == {})

    lists(sdk, mark, customer.id)

    methods = sdk.payment_methods(customer.id)
    check("payment methods", methods.code == 200 and methods.items == [])
    payments = sdk.payments(customer.id, limit=10, page=1)
    check("payments", payments.payments == [] and payments.totals == 0)
    check("payments: pages", payments.last_page == 1 and payments.current_page == 1)

    gone = sdk.delete(customer.id)
    check("delete", gone.code == 202 and gone.message == "Customer deleted successfully")
    for name, call in {
        "retrieve": lambda: sdk.retrieve(customer.id),
        "update": lambda: sdk.update(customer.id, {"name": "x"}),
        "delete": lambda: sdk.delete(customer.id),
        "payments": lambda: sdk.payments(customer.id),
        "payment methods": lambda: sdk.payment_methods(customer.id),
    }.items():
        raises(
            f"deleted: {name}",
            NotchPayValidationError,
            call,
            code=404,
            message="Customer not found",
            errors={},
        )


def lists(sdk, mark, first):
    second = sdk.create({"phone": "237699000000", "name": f"Paul {mark}"}).customer
    check("phone only", second.phone == "+237699000000" and second.email is None)
    found = sdk.list(search=mark)
    check("list: search", [c.id for c in found.items] == [second.id, first])
    check("list: totals", found.totals == 2 and found.selected == 2 and found.last_page == 1)
    paged = sdk.list(limit=1, page=2, search=mark)
    check("list: page", [c.id for c in paged.items] == [first] and paged.last_page == 2)
    day = second.created_at
    dated = sdk.list(search=mark, date_start=day, date_end=day.strftime("%Y-%m-%d"))
    check("list: dates", dated.totals == 2)
    none = sdk.list(search=mark, date_end="2000-01-01")
    check("list: no one", none.items == [] and none.totals == 0)
    sdk.delete(second.id)


def refusals(keys):
    sdk = client(keys).customers
    raises("create: nothing (client)", NotchPayError, lambda: sdk.create({"name": "x"}))
    raises(
        "create: bad e-mail address",
        NotchPayValidationError,
        lambda: sdk.create({"email": "nobody"}),
        code=422,
        status="Unprocessable Entity",
        errors={"email": ["Invalid email address"]},
    )
    raises(
        "wrong key",
        NotchPayAuthenticationError,
        lambda: client(keys, public_key="pk_test.nobody").customers.list(),
        code=401,
        message="Invalid API key",
    )
    raises(
        "wrong grant",
        NotchPayValidationError,
        lambda: client(keys, grant_key="sk.nobody").customers.list(),
        code=403,
        message="Invalid grant key",
    )


def channels(keys):
    sdk = client(keys).channels
    every = sdk.list()
    check("channels", every.code == 200 and len(every.items) > 40)
    cameroon = sdk.list(country="CM", amount=1000)
    codes = [channel.id for channel in cameroon.items]
    check("channels: Cameroon", "cm.mtn" in codes and "ci.mtn" not in codes)
    check("channels: type", cameroon.items[0].type == "mobile")
    other = sdk.list(amount=1000, currency="XOF")
    check("channels: currency", "ci.mtn" in [channel.id for channel in other.items])


async def asynchronous(keys):
    sdk = AsyncNotchPay(keys["public_key"])
    sdk._client.base_url = keys["base_url"]
    created = await sdk.customers.create({"email": "async@example.org"})
    seen = await sdk.customers.retrieve(created.customer.id)
    check("async: retrieve", seen.customer == created.customer)
    changed = await sdk.customers.update(created.customer.id, {"name": "Async"})
    check("async: update", changed.customer.name == "Async")
    found = await sdk.customers.list(limit=1)
    check("async: list", found.items[0].id == created.customer.id)
    methods = await sdk.customers.payment_methods(created.customer.id)
    check("async: payment methods", methods.items == [])
    payments = await sdk.customers.payments(created.customer.id)
    check("async: payments", payments.payments == [])
    check("async: channels", len((await sdk.channels.list()).items) > 40)
    check("async: delete", (await sdk.customers.delete(created.customer.id)).code == 202)
    await sdk._client.aclose()


class Receiver:
    """Takes what comes, and hands it out."""

    def __init__(self):
        got = self.got = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                got.put((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


# Signs what JavaScript makes of a body, as several clients do.
SIGNS = """
const { createHmac } = require('crypto');
const text = require('fs').readFileSync(0, 'utf8');
const again = JSON.stringify(JSON.parse(text));
console.log(createHmac('sha256', process.argv[1]).update(again).digest('hex'));
"""


def webhooks(keys):
    sdk = client(keys, grant_key=keys["private_key"])
    receiver = Receiver()
    made = sdk.webhooks.create({"url": receiver.url, "events": ["customer.created", "payment.complete"]})
    check("webhook: create", made.code == 201 and made.endpoint.url == receiver.url)
    is_sandbox = keys["public_key"].startswith("pk_test.")
    check("webhook: active", made.endpoint.status == "active" and made.endpoint.sandbox == is_sandbox)
    listed = sdk.webhooks.list(limit=100)
    check("webhook: list", made.endpoint.id in [one.id for one in listed.endpoints])
    check("webhook: retrieve", sdk.webhooks.retrieve(made.endpoint.id).endpoint == made.endpoint)
    changed = sdk.webhooks.update(made.endpoint.id, {"description": "till"})
    check("webhook: update", changed.code == 202 and changed.endpoint.description == "till")
    raises("webhook: unknown event", NotchPayValidationError,
           lambda: sdk.webhooks.update(made.endpoint.id, {"events": ["customer.create"]}), code=422)
    # The SDK does not show the secret.
    headers = {"Authorization": keys["public_key"], "X-Grant": keys["private_key"],
               "Content-Type": "application/json"}
    body = json.dumps({"url": receiver.url, "events": ["customer.created"]}).encode()
    request = urllib.request.Request(keys["base_url"] + "/webhooks", body, headers)
    with urllib.request.urlopen(request, timeout=25) as answer:
        raw = json.load(answer)["endpoint"]
    time.sleep(1.5)  # A node takes endpoints in within half a second.
    customer = sdk.customers.create({"email": "hook@example.org", "name": "Žižek / 李"}).customer
    for _ in range(2):
        headers, body = receiver.got.get(timeout=30)
        told = json.loads(body)
        check("webhook: told", told["type"] == told["event"] == "customer.created")
        check("webhook: data", told["data"]["id"] == customer.id)
        for name in ["x-notch-signature", "X-Notchpay-Signature", "notchpay-signature"]:
            check(f"webhook: {name}", len(headers[name]) == 64)
        private = hmac.new(keys["private_key"].encode(), body, "sha256").hexdigest()
        check("webhook: x-noth-signature", headers["x-noth-signature"] == private)
        mine = hmac.new(raw["secret"].encode(), body, "sha256").hexdigest()
        text, signature = body.decode(), headers["X-Notchpay-Signature"]
        if NotchPay.verify_webhook_signature(text, signature, raw["secret"]):
            check("webhook: x-notch-signature", headers["x-notch-signature"] == mine)
            altered = NotchPay.verify_webhook_signature(text + " ", signature, raw["secret"])
            check("webhook: altered", not altered)
            command = ["node", "-e", SIGNS, raw["secret"]]
            signed = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True)
            check("webhook: as JavaScript writes it", signed.stdout.decode().strip() == mine)
            break
    else:
        check("webhook: signed by the endpoint's secret", False)
    check("webhook: delete", sdk.webhooks.delete(made.endpoint.id).code == 202)
    raises("webhook: gone", NotchPayError, lambda: sdk.webhooks.retrieve(made.endpoint.id), code=404)
    sdk.webhooks.delete(raw["id"])


def main():
    keys = credentials()
    customers(keys)
    refusals(keys)
    channels(keys)
    webhooks(keys)
    asyncio.run(asynchronous(keys))
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
