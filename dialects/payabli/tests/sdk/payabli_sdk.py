#!/usr/bin/env python3
"""Drives the calls of customers, notifications and their logs of the Python SDK (payabli 1.0.19)
against a server, signed in with a request token, with OAuth client credentials, and with a bearer
token.

    payabli_sdk.py --credentials FILE

FILE is the JSON that `patron sandbox --print` prints (the whole of it, or its `payabli` part).
Prints `N passed, M failed`; ends with 1 when a check failed.
"""

import argparse
import asyncio
import datetime
import json
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
from payabli import (
    Asyncpayabli,
    KeyValueDuo,
    NotificationStandardRequest,
    NotificationStandardRequestContent,
    payabli,
)
from payabli.core.api_error import ApiError
from payabli.errors import BadRequestError, UnauthorizedError

FIELDS = [
    "customernumber", "firstname", "lastname", "address", "city", "country", "zip", "state",
    "shippingaddress", "shippingcity", "shippingcountry", "shippingzip", "shippingstate", "phone",
    "email", "company", "username", "additional-tier",
]


class Checks:
    def __init__(self):
        self.passed, self.failed, self.mode = 0, 0, ""

    def equal(self, name, have, want):
        if have == want:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.mode}: {name}: {have!r}, expected {want!r}")

    def true(self, name, holds):
        self.equal(name, bool(holds), True)

    def refused(self, name, error, call, status):
        try:
            call()
        except error as refusal:
            self.equal(name, refusal.status_code, status)
            return refusal
        except Exception as other:  # noqa: BLE001 - any other error is a failed check
            self.equal(name, repr(other), error.__name__)
        else:
            self.equal(name, "no error", error.__name__)
        return None


def person(tag, **more):
    return {
        "customer_number": f"{tag}-1", "firstname": "Noor", "lastname": f"Haddad {tag}",
        "company": f"Company {tag}", "phone": "(423) 555-0117", "email": f"{tag}@example.org",
        "address": f"9 Mill St {tag}", "address_1": "2nd floor", "city": f"Erwin {tag}",
        "state": f"TN{tag}", "zip": f"37650{tag}", "country": "US",
        "shipping_address": f"1 Dock {tag}", "shipping_address_1": "Gate 4",
        "shipping_city": f"Unicoi {tag}", "shipping_state": f"NC{tag}",
        "shipping_zip": "28701-1234", "shipping_country": "US", "balance": 12500.75,
        "time_zone": -5, "customer_username": f"user-{tag}", "customer_psw": "correct horse",
        "customer_status": 1, "additional_fields": {"tier": f"gold-{tag}"},
        "identifier_fields": ["customerNumber"], **more,
    }


def record_is(checks, name, record, tag):
    checks.equal(f"{name}: number", record.customer_number, f"{tag}-1")
    checks.equal(f"{name}: status", record.customer_status, 1)
    checks.equal(f"{name}: phone", record.phone, "+14235550117")
    checks.equal(f"{name}: zone", record.time_zone, -5)
    checks.equal(f"{name}: balance", record.balance, 12500.75)
    checks.equal(f"{name}: fields", record.additional_fields, {"tier": f"gold-{tag}"})
    checks.equal(f"{name}: identifiers", record.identifier_fields, ["customerNumber"])
    checks.equal(f"{name}: second line", record.address_1, "2nd floor")
    checks.equal(f"{name}: shipping", record.shipping_address_1, "Gate 4")
    checks.true(f"{name}: created", record.created)
    checks.equal(f"{name}: summary", record.customer_summary.numberof_transactions, 0)


def one_customer(checks, client, keys):
    tag = uuid.uuid4().hex[:10]
    entry = keys["entry"]
    added = client.customer.add_customer(entry, idempotency_key=tag, **person(tag))
    checks.equal("add: text", (added.is_success, added.response_text), (True, "Success"))
    record_is(checks, "add", added.response_data, tag)
    number = added.response_data.customer_id
    again = client.customer.add_customer(entry, idempotency_key=tag, **person(tag))
    checks.equal("repeat: same", again.response_data.customer_id, number)
    same = client.customer.add_customer(entry, customer_number=f"{tag.upper()}-1")
    checks.equal("match: same", same.response_data.customer_id, number)
    forced = client.customer.add_customer(
        entry, force_customer_creation=True, customer_number=f"{tag}-1")
    checks.true("forced: another", forced.response_data.customer_id != number)
    client.customer.delete_customer(forced.response_data.customer_id)
    record_is(checks, "get", client.customer.get_customer(number), tag)

    replaced = client.customer.add_customer(
        entry, replace_existing=1, customer_number=f"{tag}-1", company="Other")
    checks.equal("replace: company", replaced.response_data.company, "Other")
    checks.equal("replace: rest", replaced.response_data.firstname, "Noor")
    done = client.customer.update_customer(
        number, firstname="Nora", company=f"Company {tag}", email=None,
        additional_fields={"more": "1"})
    checks.equal("update", (done.is_success, done.response_data), (True, " "))
    record = client.customer.get_customer(number)
    checks.equal("update: set", record.firstname, "Nora")
    checks.equal("update: cleared", record.email, None)
    checks.equal("update: kept", record.lastname, f"Haddad {tag}")
    checks.equal("update: merged", record.additional_fields, {"tier": f"gold-{tag}", "more": "1"})
    checks.refused(
        "consent without address", BadRequestError,
        lambda: client.customer.request_consent(number), 400)
    client.customer.update_customer(number, email=f"{tag}@example.org")
    checks.equal("consent", client.customer.request_consent(number).response_data, " ")
    consent = client.customer.get_customer(number).customer_consent
    checks.equal("consent: pending", consent.e_communication.status, -1)
    linked = client.customer.link_customer_transaction(number, "45-as456777hhhhhhhhhh77777777-324")
    checks.equal("link", linked.response_data, " ")
    checks.equal(
        "statistics", client.statistic.customer_basic_stats("ytd", "m", number), [])
    return number, tag


def lists(checks, client, keys, number, tag):
    entry = keys["entry"]

    def found(parameters, **more):
        answer = client.query.list_customers(
            entry, parameters={**parameters, "email(ct)": tag}, **more)
        return [record.customer_id for record in answer.records]

    record = client.customer.get_customer(number)
    values = {
        "customernumber": f"{tag}-1", "firstname": "NORA", "lastname": f"haddad {tag}",
        "address": f"9 mill st {tag}", "city": f"ERWIN {tag}", "country": "us",
        "zip": f"37650{tag}", "state": f"tn{tag}", "shippingaddress": f"1 dock {tag}",
        "shippingcity": f"unicoi {tag}", "shippingcountry": "us", "shippingzip": "28701-1234",
        "shippingstate": f"nc{tag}", "phone": "+14235550117", "email": f"{tag}@example.org",
        "company": f"company {tag}", "username": f"user-{tag}", "additional-tier": f"gold-{tag}",
    }
    for field in FIELDS:
        value = values[field]
        for op, want in [("eq", [number]), ("ne", []), ("ct", [number]), ("nct", [])]:
            checks.equal(f"{field}({op})", found({f"{field}({op})": value}), want)
        checks.equal(f"{field}", found({field: value}), [number])
        checks.equal(f"{field}(eq) of nothing", found({f"{field}(eq)": "no such"}), [])
    for name, value, want in [
        ("name(ct)", "nora haddad", [number]), ("name(nct)", "nora haddad", []),
        ("balance(gt)", "12500", [number]), ("balance(ge)", "12500.75", [number]),
        ("balance(lt)", "12500.75", []), ("balance(le)", "12500.75", [number]),
        ("balance(eq)", "12500.750", [number]), ("balance(ne)", "12500.75", []),
        ("status(eq)", "1", [number]), ("status(ne)", "1", []),
        ("status(in)", "0|1", [number]), ("status(nin)", "0|1", []),
        ("createdDate(gt)", "2020-01-01T00:00:00", [number]),
        ("createdDate(ge)", "2020-01-01", [number]),
        ("createdDate(lt)", "2020-01-01T00:00:00", []),
        ("createdDate(le)", "2020-01-01", []),
        ("createdDate(eq)", str(record.created)[:10], [number]),
        ("createdDate(ne)", str(record.created)[:10], []),
        ("orgId(eq)", str(keys["org_id"]), [number]), ("paypointId(ne)", "0", [number]),
        ("paypointLegal(ct)", "no such", []), ("paypointDba(ne)", "no such", [number]),
        ("orgName(nct)", "no such", [number]), ("unknown(eq)", "x", [number]),
    ]:
        checks.equal(name, found({name: value}), want)
    pages = client.query.list_customers(
        entry, from_record=0, limit_record=1, sort_by="desc(createdDate)")
    checks.equal("page: rows", len(pages.records), 1)
    checks.equal("page: size", pages.summary.page_size, 1)
    checks.true("page: total", pages.summary.total_records >= 1)
    checks.equal("page: pages", pages.summary.total_pages, pages.summary.total_records)
    everybody = client.query.list_customers(entry, limit_record=0, sort_by="asc(lastname)")
    checks.equal("all", len(everybody.records), everybody.summary.total_records)
    organization = client.query.list_customers_org(
        keys["org_id"], parameters={"email(ct)": tag})
    checks.equal("org", [r.customer_id for r in organization.records], [number])
    raw = client.query.list_customers(
        entry, request_options={"additional_query_parameters": {"email(ct)": tag}})
    checks.equal("plain filter", [r.customer_id for r in raw.records], [number])


def notifications(checks, client):
    url = "http://127.0.0.1:9091/hook"
    content = NotificationStandardRequestContent(
        event_type="customercreated", web_header_parameters=[KeyValueDuo(key="X-Shop", value="7")])
    new = NotificationStandardRequest(
        content=content, frequency="untilcancelled", method="web", owner_type=2, status=1,
        target=url)
    made = client.notification.add_notification(request=new)
    checks.equal("notification", (made.is_success, made.response_text), (True, "Success"))
    one = str(made.response_data)
    record = client.notification.get_notification(one)
    checks.equal(
        "notification: read",
        (record.notification_id, record.method, record.target, record.status, record.owner_type,
         record.content.event_type),
        (made.response_data, "web", url, 1, 2, "CustomerCreated"))
    off = NotificationStandardRequest(
        frequency="untilcancelled", method="web", owner_type=2, status=0, target=url,
        owner_id=record.owner_id)
    client.notification.update_notification(one, request=off)
    checks.equal("notification: off", client.notification.get_notification(one).status, 0)
    client.notification.delete_notification(one)
    checks.refused(
        "notification: gone", ApiError, lambda: client.notification.get_notification(one), 400)


class Receiver:
    """Takes what is sent, and answers as it is told to."""

    def __init__(self):
        self.status, self.bodies = 200, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                size = int(self.headers["content-length"])
                receiver.bodies.append(self.rfile.read(size).decode())
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def until(look, is_so):
    """Asks until an answer is as wanted, half a minute at most."""
    for _ in range(300):
        found = look()
        if is_so(found):
            break
        time.sleep(0.1)
    return found


def logs(checks, client, keys):
    receiver, tag = Receiver(), uuid.uuid4().hex[:10]
    made = client.notification.add_notification(request=NotificationStandardRequest(
        content=NotificationStandardRequestContent(event_type="customercreated"),
        frequency="untilcancelled", method="web", owner_type=2, status=1, target=receiver.url))
    time.sleep(1.5)
    receiver.status = 500
    client.customer.add_customer(keys["entry"], **person(tag))
    now = datetime.datetime.now(datetime.timezone.utc)

    def search(**more):
        found = client.notificationlogs.search_notification_logs(
            start_date=now - datetime.timedelta(days=29), end_date=now + datetime.timedelta(days=1),
            org_id=keys["org_id"], page_size=100, page=1, **more)
        return [log for log in found if log.target == receiver.url]

    failed = until(lambda: search(notification_event="customercreated", succeeded=False), len)
    checks.equal("log: failed", [(log.response_status_code, log.response_status, log.success,
                                  log.is_in_progress) for log in failed],
                 [(500, "Dropped", False, True)])
    log = failed[0]
    checks.equal("log: body", log.job_data, receiver.bodies[0])
    checks.true("log: dates", log.created_date and log.last_failed_date and not log.success_date)
    detail = client.notificationlogs.get_notification_log(log.id)
    checks.equal("log: read", (detail.id, detail.job_data, detail.response_content),
                 (log.id, log.job_data, ""))
    receiver.status = 200
    retried = client.notificationlogs.retry_notification_log(log.id)
    checks.true("log: retried", retried.message)
    done = until(lambda: search(succeeded=True), len)
    checks.equal("log: arrived", [(one.id, one.response_status_code, one.response_status)
                                  for one in done], [(log.id, 200, "OK")])
    client.notificationlogs.bulk_retry_notification_logs(request=[log.id])
    checks.equal("log: once more", until(lambda: receiver.bodies, lambda all: len(all) == 3),
                 receiver.bodies[:1] * 3)
    checks.refused("log: unknown", BadRequestError,
                   lambda: client.notificationlogs.get_notification_log(str(uuid.uuid4())), 400)
    checks.refused("report", ApiError, lambda: client.notification.get_report_file(1), 400)
    client.notification.delete_notification(str(made.response_data))


def around(checks, client, keys):
    entry, tag = keys["entry"], uuid.uuid4().hex[:10]
    csv = f"customerNumber,firstname\n{tag}-a,Anna\n{tag}-b,Bea\n,Nobody\n"
    verdict = client.import_.import_customer(
        entry, file=("customers.csv", csv.encode(), "text/csv"), replace_existing=0)
    checks.equal("import: added", verdict.response_data.added, 2)
    checks.equal("import: rejected", verdict.response_data.rejected, 1)
    checks.equal(
        "import: why", verdict.response_data.errors,
        ["row 4: Invalid customer identifiers: customerNumber"])
    checks.equal("settings", client.paypoint.settings_page(entry).identifiers, [])
    organization = client.organization.get_settings_organization(keys["org_id"])
    checks.equal("settings of the org", organization.custom_fields, [])
    checks.refused(
        "unknown entry", BadRequestError,
        lambda: client.query.list_customers("ffffffffff0"), 400)
    refusal = checks.refused(
        "no identifier", BadRequestError,
        lambda: client.customer.add_customer(entry, company="x"), 400)
    if refusal is not None:
        checks.equal(
            "no identifier: text", refusal.body["responseText"],
            "Invalid customer identifiers: customerNumber")
    for format in ["csv", "xlsx"]:
        headers = {"requestToken": keys["request_token"]}
        url = f"{keys['base_url']}/Export/customers/{format}/{entry}"
        answer = httpx.get(url, headers=headers, params={"customernumber(ct)": tag})
        checks.equal(f"export {format}", answer.status_code, 200)
        if format == "csv":
            checks.equal("export: rows", len(answer.text.strip().splitlines()), 3)


def ending(checks, client, keys, number, tag):
    deleted = client.customer.delete_customer(number)
    checks.equal("delete", (deleted.is_success, deleted.response_data), (True, " "))
    checks.refused("gone", BadRequestError, lambda: client.customer.get_customer(number), 400)
    answer = client.query.list_customers(keys["entry"], parameters={"email(ct)": tag})
    checks.equal("not listed", answer.records, [])
    answer = client.query.list_customers(
        keys["entry"], parameters={"email(ct)": tag, "status(eq)": "-99"})
    checks.equal("listed when asked", [r.customer_id for r in answer.records], [number])


async def asynchronous(checks, keys):
    client = Asyncpayabli(base_url=keys["base_url"], api_key=keys["request_token"])
    tag = uuid.uuid4().hex[:10]
    added = await client.customer.add_customer(keys["entry"], **person(tag))
    record_is(checks, "async add", added.response_data, tag)
    number = added.response_data.customer_id
    await client.customer.update_customer(number, firstname="Nora")
    checks.equal("async", (await client.customer.get_customer(number)).firstname, "Nora")
    await client.customer.delete_customer(number)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--credentials", required=True)
    with open(arguments.parse_args().credentials, encoding="utf-8") as file:
        keys = json.load(file)
    keys = keys.get("payabli", keys)
    base = {"base_url": keys["base_url"]}
    oauth = {"client_id": keys["client_id"], "client_secret": keys["client_secret"]}
    anybody = payabli(**base, api_key="nobody")
    token = anybody.token.create_server_side_token(**oauth, state="s-1")
    checks = Checks()
    checks.equal("token: state", (token.state, token.expires_in), ("s-1", 3600))
    for mode, client in {
        "requestToken": payabli(**base, api_key=keys["request_token"]),
        "OAuth": payabli(**base, **oauth),
        "bearer": payabli(**base, token=token.access_token),
    }.items():
        checks.mode = mode
        number, tag = one_customer(checks, client, keys)
        lists(checks, client, keys, number, tag)
        around(checks, client, keys)
        notifications(checks, client)
        logs(checks, client, keys)
        ending(checks, client, keys, number, tag)
    checks.mode = "async"
    asyncio.run(asynchronous(checks, keys))
    checks.mode = "refusals"
    refusal = checks.refused(
        "unknown token", UnauthorizedError, lambda: anybody.customer.get_customer(1), 401)
    if refusal is not None:
        checks.equal("typed body", refusal.body.response_text, "Unauthorized")
    checks.refused(
        "wrong client", ApiError,
        lambda: anybody.token.create_server_side_token(client_id="x", client_secret="y"), 400)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
