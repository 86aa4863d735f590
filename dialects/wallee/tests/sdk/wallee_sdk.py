#!/usr/bin/env python3
"""Drives every operation that is served with the official SDK: customers, addresses, comments, catalogues, records
that are tables, people, webhooks.

    python -m venv venv && venv/bin/pip install wallee==6.4.0 postfinancecheckout==6.4.0
    patron sandbox --print > sandbox.json        # the server must be running
    venv/bin/python wallee_sdk.py --credentials sandbox.json [--package postfinancecheckout]

Prints each failed check and `N passed, M failed`; the exit status is 1 when a check failed.
"""

import argparse
import base64
import http.server
import importlib
import json
import pathlib
import queue
import re
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid

import jwt


class Checks:
    """Counts checks."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, what, holds, shown=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED: {what} {shown}")

    def equal(self, what, have, want):
        self.that(what, have == want, f"\n   have {have!r}\n   want {want!r}")

    def refused(self, what, status, code, call, *fields):
        """The call is refused with a status, a code word and the named fields."""
        try:
            answer = call()
        except self.sdk.ApiException as error:
            self.equal(f"{what}: status", error.status, status)
            kinds = {
                400: "BadRequestException", 401: "UnauthorizedException", 403: "ForbiddenException",
                404: "NotFoundException", 409: "ConflictException",
                422: "UnprocessableEntityException",
            }
            self.equal(f"{what}: exception", type(error).__name__, kinds.get(status, "ApiException"))
            body = json.loads(error.body)
            self.equal(f"{what}: code", body.get("code"), code)
            self.equal(f"{what}: members", set(body) - {"errors"}, {"date", "code", "id", "message"})
            self.equal(f"{what}: fields", sorted(body.get("errors", {})), sorted(fields))
            if error.data is not None:
                self.equal(f"{what}: parsed code", error.data.code, code)
        else:
            self.that(what, False, f"was not refused: {answer!r}")


class Raw:
    """Signed requests of our own, for what the SDK refuses to send."""

    def __init__(self, credentials):
        self.credentials = credentials

    def send(self, method, path, body=None, **changes):
        credentials = {**self.credentials, **changes.get("credentials", {})}
        base = credentials["host"].removesuffix("/api/v2.0")
        target = "/api/v2.0" + path
        claims = {
            "sub": credentials["user_id"],
            "iat": int(time.time()),
            "requestPath": target,
            "requestMethod": method,
            **changes.get("claims", {}),
        }
        key = base64.b64decode(credentials["authentication_key"])
        header = changes.get("header", {"typ": "JWT", "ver": 1})
        token = jwt.encode(claims, key, algorithm="HS256", headers=header)
        headers = {
            "Authorization": f"Bearer {token}",
            "Space": str(credentials["space_id"]),
            **({"Content-Type": "application/json"} if body is not None else {}),
            **changes.get("headers", {}),
        }
        headers = {name: value for name, value in headers.items() if value is not None}
        request = urllib.request.Request(base + target, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=25) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")


def services(sdk, credentials):
    configuration = sdk.Configuration(
        host=credentials["host"],
        user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"],
    )
    return (
        sdk.CustomersService(configuration),
        sdk.CustomerAddressesService(configuration),
        sdk.CustomerCommentsService(configuration),
    )


def customers(check, sdk, space, service, mark):
    """Create, retrieve, update, email addresses, delete."""
    created = service.post_customers(space, sdk.CustomerCreate(
        meta_data={"source": "shop", "mark": mark},
        email_address=f"anna.{mark}@example.com",
        family_name="Müster",
        given_name="Anna",
        preferred_currency="CHF",
        customer_id=f"C-{mark}",
        language="de-CH",
    ))
    check.equal("create: type", type(created).__name__, "Customer")
    check.equal("create: space", created.linked_space_id, space)
    check.equal("create: version", created.version, 1)
    check.equal("create: name", (created.given_name, created.family_name), ("Anna", "Müster"))
    check.equal("create: customer id", created.customer_id, f"C-{mark}")
    check.equal("create: money, language", (created.preferred_currency, created.language), ("CHF", "de-CH"))
    check.equal("create: metadata", created.meta_data, {"source": "shop", "mark": mark})
    check.that("create: time", abs(created.created_on.timestamp() - time.time()) < 120)
    empty = service.post_customers(space, sdk.CustomerCreate())
    check.equal("create empty", (empty.version, empty.meta_data, empty.email_address), (1, {}, None))

    read = service.get_customers_id(created.id, space, expand=["nothing", "such.thing"])
    check.equal("retrieve", read, created)

    updated = service.patch_customers_id(created.id, space, sdk.CustomerActive(
        version=1, family_name="Muster-Meier", email_address=f"am.{mark}@example.org"))
    check.equal("update: version", updated.version, 2)
    check.equal("update: changed", updated.family_name, "Muster-Meier")
    check.equal("update: kept", (updated.given_name, updated.meta_data), ("Anna", created.meta_data))
    same = service.patch_customers_id(created.id, space, sdk.CustomerActive(version=2, given_name="Anna"))
    check.that("update nothing", same.version in (2, 3))
    version = same.version
    replaced = service.patch_customers_id(created.id, space, sdk.CustomerActive(
        version=version, meta_data={"only": "this"}))
    check.equal("update: metadata as a whole", replaced.meta_data, {"only": "this"})
    cleared = service.patch_customers_id(created.id, space, sdk.CustomerActive(
        version=replaced.version, language=""))
    check.equal("update: an empty text clears", cleared.language, None)

    emails = service.get_customers_id_email_addresses(created.id, space)
    check.equal("email addresses", [e.email_address for e in emails.data],
                [f"anna.{mark}@example.com", f"am.{mark}@example.org"])
    check.equal("email addresses: envelope", (emails.has_more, emails.limit), (False, 2))
    check.that("email addresses: times", all(e.created_on for e in emails.data))

    check.refused("update stale", 409, "conflict", lambda: service.patch_customers_id(
        created.id, space, sdk.CustomerActive(version=1, given_name="B")), "version")
    check.refused("update a later version", 409, "conflict", lambda: service.patch_customers_id(
        created.id, space, sdk.CustomerActive(version=99, given_name="B")), "version")
    check.refused("reference taken", 422, "unprocessable_entity", lambda: service.post_customers(
        space, sdk.CustomerCreate(customer_id=f"C-{mark}")), "customerId")
    long = sdk.CustomerCreate.model_construct(
        email_address="x" * 255, given_name="x" * 101, family_name="x" * 101,
        customer_id="x" * 101, preferred_currency="QQQ", language="english", meta_data=None)
    check.refused("create invalid", 422, "unprocessable_entity",
                  lambda: service.post_customers(space, long), "emailAddress", "givenName",
                  "familyName", "customerId", "preferredCurrency", "language")
    wrong = sdk.CustomerCreate.model_construct(email_address=7)
    check.refused("create with a wrong type", 400, "bad_request",
                  lambda: service.post_customers(space, wrong), "emailAddress")
    check.refused("retrieve unknown", 404, "not_found", lambda: service.get_customers_id(1 << 50, space))
    check.refused("card number", 422, "unprocessable_entity", lambda: service.post_customers(
        space, sdk.CustomerCreate(meta_data={"card": "4111 1111 1111 1111"})), "metaData.card")

    check.equal("delete", service.delete_customers_id(empty.id, space), None)
    check.refused("delete again", 404, "not_found", lambda: service.delete_customers_id(empty.id, space))
    check.refused("retrieve deleted", 404, "not_found", lambda: service.get_customers_id(empty.id, space))
    check.refused("update deleted", 404, "not_found", lambda: service.patch_customers_id(
        empty.id, space, sdk.CustomerActive(version=1)))
    return created.id


def lists(check, sdk, space, service, mark):
    """Pages of lists and searches."""
    made = [service.post_customers(space, sdk.CustomerCreate(
        given_name=f"P{n}", family_name=f"List {mark}", customer_id=f"L-{mark}-{n}",
        meta_data={"page": mark, "n": str(n)})).id for n in range(5)]

    def ids(answer):
        return [item.id for item in answer.data]

    page = service.get_customers(space, after=made[0] - 1, limit=2, order="ASC")
    check.equal("list after", (ids(page), page.has_more, page.limit), (made[:2], True, 2))
    page = service.get_customers(space, after=made[1], limit=10, order="ASC")
    check.equal("list the rest", (ids(page), page.has_more), (made[2:], False))
    page = service.get_customers(space, before=made[3], limit=2, order="ASC")
    check.equal("list before: adjacent, in order", ids(page), made[1:3])
    page = service.get_customers(space, limit=2, order=sdk.SortingOrder.DESC)
    check.equal("list newest first", ids(page), [made[4], made[3]])
    page = service.get_customers(space, after=made[3], limit=2, order="DESC")
    check.equal("list after, newest first", ids(page), [made[2], made[1]])
    page = service.get_customers(space, before=made[1], limit=2, order="DESC")
    check.equal("list before, newest first", ids(page), [made[3], made[2]])
    check.equal("list: default limit", service.get_customers(space).limit, 10)
    check.refused("list with both cursors", 400, "bad_request",
                  lambda: service.get_customers(space, after=1, before=5), "before")

    def found(query, **more):
        return ids(service.get_customers_search(space, query=query, **more))

    check.equal("search: order", found(f"metaData.page:{mark}", order="id:DESC"), made[::-1])
    check.equal("search: several orders", found(
        f"metaData.page:{mark}", order="familyName:ASC,givenName:DESC"), made[::-1])
    page = service.get_customers_search(space, query=f"metaData.page:{mark}", limit=2, offset=2, order="id")
    check.equal("search page", (ids(page), page.has_more, page.limit, page.offset),
                (made[2:4], True, 2, 2))
    page = service.get_customers_search(space, query=f"metaData.page:{mark}", limit=2, offset=4, order="id")
    check.equal("search last page", (ids(page), page.has_more), (made[4:], False))
    for query, want in [
        (f"id:{made[0]}", made[:1]),
        (f"customerId:L-{mark}-1", made[1:2]),
        (f"customerId:'L-{mark}-1'", made[1:2]),
        (f'familyName:"List {mark}"', made),
        (f'familyName:~"LIST {mark}"', made),
        (f"id:>{made[1]} id:<={made[3]}", made[2:4]),
        (f"id:>={made[1]} AND id:<{made[3]}", made[1:3]),
        (f"metaData.page:{mark} -id:{made[0]}", made[1:]),
        (f"metaData.page:{mark} AND -(id:{made[0]} OR id:{made[1]})", made[2:]),
        (f"metaData.page:{mark} AND (metaData.n:1 OR metaData.n:3)", [made[1], made[3]]),
        (f"metaData.page:{mark} emailAddress:*", made),
        (f"metaData.page:{mark} -emailAddress:*", []),
        (f"metaData.page:{mark} createdOn:>2020-01-01", made),
        (f"metaData.page:{mark} createdOn:<'2020-01-01'", []),
        (f"metaData.page:{mark} version:1", made),
        (f'(givenName:~"p3" OR familyName:~"p3" OR emailAddress:~"p3") metaData.page:{mark}', made[3:4]),
    ]:
        check.equal(f"search {query}", found(query, order="id:ASC", limit=100), want)
    check.that("search: empty query and order", len(found("", order="", limit=1)) == 1)
    for query in ["anna", "nothing:1", "id:five", "(id:1", "id:~5"]:
        check.refused(f"search {query}", 422, "unprocessable_entity", lambda: found(query), "query")
    check.refused("search: bad order", 422, "unprocessable_entity",
                  lambda: found("", order="nothing:ASC"), "order")
    return made


def bulk(check, sdk, space, service, raw, mark):
    """Several customers at once."""
    long = sdk.CustomerCreate.model_construct(email_address="x" * 255)
    results = service.post_customers_bulk(space, [
        sdk.CustomerCreate(customer_id=f"B-{mark}-1"), long,
        sdk.CustomerCreate(customer_id=f"B-{mark}-2"), sdk.CustomerCreate(customer_id=f"B-{mark}-1"),
    ])
    check.equal("bulk create", [r.status_code for r in results], [201, 422, 201, 422])
    one, two = results[0].id, results[2].id
    check.equal("bulk create: link", results[0].link, f"/api/v2.0/customers/{one}")
    check.equal("bulk create: error", results[1].error.code, "unprocessable_entity")
    check.equal("bulk create: field", list(results[3].error.errors), ["customerId"])
    check.equal("bulk create: made", service.get_customers_id(two, space).customer_id, f"B-{mark}-2")

    typed = service.patch_customers_bulk(space, [sdk.CustomerActive(version=1, family_name="X")])
    check.equal("bulk update without targets", [r.status_code for r in typed], [422])
    check.equal("bulk update without targets: field", list(typed[0].error.errors), ["id"])
    body = [{"id": one, "familyName": "X", "version": 1}, {"id": two, "familyName": "Y", "version": 7}]
    status, results = raw.send("PATCH", "/customers/bulk", json.dumps(body).encode())
    check.equal("bulk update", (status, [r["statusCode"] for r in results]), (200, [200, 409]))
    check.equal("bulk update: done", service.get_customers_id(one, space).family_name, "X")

    results = service.delete_customers_bulk(space, [one, 1 << 50, two])
    check.equal("bulk delete", [(r.id, r.status_code) for r in results],
                [(one, 204), (1 << 50, 404), (two, 204)])
    check.equal("bulk delete: error", results[1].error.code, "not_found")
    check.equal("bulk of nothing", service.post_customers_bulk(space, []), [])
    check.refused("bulk of too many", 413, "payload_too_large",
                  lambda: service.delete_customers_bulk(space, [1] * 101))


def merge(check, sdk, space, service, addresses, comments, mark):
    """Two customers become one."""
    stays = service.post_customers(space, sdk.CustomerCreate(
        given_name="Stay", email_address=f"stay.{mark}@example.com"))
    goes = service.post_customers(space, sdk.CustomerCreate(
        email_address=f"go.{mark}@example.com", language="fr-CH", customer_id=f"G-{mark}"))
    address = addresses.post_customers_customer_id_addresses(
        goes.id, space, sdk.CustomerAddressCreate(customer=goes.id, address_type="BILLING"))
    comment = comments.post_customers_customer_id_comments(
        goes.id, space, sdk.CustomerCommentCreate(customer=goes.id, content="Hello"))
    check.refused("merge with itself", 422, "unprocessable_entity",
                  lambda: service.post_customers_id_merge_other(stays.id, stays.id, space), "other")
    merged = service.post_customers_id_merge_other(stays.id, goes.id, space)
    check.equal("merge", (merged.id, merged.version), (stays.id, 2))
    check.equal("merge: own fields win", merged.email_address, f"stay.{mark}@example.com")
    check.equal("merge: missing ones come", (merged.language, merged.customer_id), ("fr-CH", f"G-{mark}"))
    check.refused("merged one is gone", 404, "not_found", lambda: service.get_customers_id(goes.id, space))
    moved = addresses.get_customers_customer_id_addresses_id(stays.id, address.id, space)
    check.equal("merge: address moved", moved.customer.id, stays.id)
    moved = comments.get_customers_customer_id_comments_id(stays.id, comment.id, space)
    check.equal("merge: comment moved", (moved.customer.id, moved.content), (stays.id, "Hello"))
    emails = service.get_customers_id_email_addresses(stays.id, space).data
    check.equal("merge: email addresses", sorted(e.email_address for e in emails),
                [f"go.{mark}@example.com", f"stay.{mark}@example.com"])
    check.refused("merge with unknown", 404, "not_found",
                  lambda: service.post_customers_id_merge_other(stays.id, 1 << 50, space))


def addresses(check, sdk, space, service, customer):
    """Addresses of a customer."""
    postal = sdk.CustomerPostalAddressCreate(
        given_name="Anna", family_name="Muster", street="Bahnhofstrasse 1\nc/o Meier", postcode="8400",
        city="Winterthur", country="CH", date_of_birth="1990-01-02", gender="FEMALE",
        organization_name="ACME", salutation="Frau", email_address="anna@example.com",
        phone_number="044 668 18 00", mobile_phone_number="+41791234567", postal_state="ZH",
        dependent_locality="Töss", sorting_code="7", commercial_register_number="CH-1",
        sales_tax_number="CHE-2", social_security_number="756.1", legal_organization_form=5)
    made = service.post_customers_customer_id_addresses(customer, space, sdk.CustomerAddressCreate(
        customer=customer, address_type="BOTH", address=postal))
    check.equal("address: type", type(made).__name__, "CustomerAddress")
    check.equal("address", (made.version, made.linked_space_id, made.address_type, made.default_address),
                (1, space, sdk.CustomerAddressType.BOTH, False))
    check.equal("address: customer", (made.customer.id, made.customer.version), (customer, None))
    for field, want in postal.model_dump().items():
        have = getattr(made.address, field)
        have = have.id if field == "legal_organization_form" else have
        check.equal(f"address: {field}", have, want)
    plain = service.post_customers_customer_id_addresses(
        customer, space, sdk.CustomerAddressCreate(customer=customer), expand=["customer"])
    check.equal("address: expanded", (plain.customer.id, plain.customer.given_name), (customer, "Anna"))
    check.equal("address: nothing known", (plain.address_type, plain.address), (None, None))
    third = service.post_customers_customer_id_addresses(customer, space, sdk.CustomerAddressCreate(
        customer=customer, address_type="SHIPPING",
        address=sdk.CustomerPostalAddressCreate(city="Bern", country="CH")))

    def ids(answer):
        return [item.id for item in answer.data]

    everyone = [made.id, plain.id, third.id]
    listing = service.get_customers_customer_id_addresses
    page = listing(customer, space, limit=2)
    check.equal("addresses: list", (ids(page), page.has_more, page.limit), (everyone[:2], True, 2))
    check.equal("addresses: after", ids(listing(customer, space, after=made.id)), everyone[1:])
    check.equal("addresses: before", ids(listing(customer, space, before=third.id, limit=1)), [plain.id])
    check.equal("addresses: DESC", ids(listing(customer, space, order="DESC")), everyone[::-1])
    check.equal("addresses: expand", listing(customer, space, expand=["customer"]).data[0].customer.given_name, "Anna")
    for query, want in [
        ("address.city:Bern", [third.id]),
        ("address.city:~BERN", [third.id]),
        ("addressType:BOTH", [made.id]),
        ("addressType:*", [plain.id]),
        ("-addressType:*", [made.id, third.id]),
        (f"id:>{made.id}", [plain.id, third.id]),
        (f"customer:{customer}", everyone),
        (f"customer.id:{customer} address.country:CH", [made.id, third.id]),
        ("defaultAddress:false", everyone),
        ("address.dateOfBirth:<2000-01-01", [made.id]),
        ("address.legalOrganizationForm:5", [made.id]),
        ("createdOn:>2020-01-01", everyone),
        ("", everyone),
    ]:
        answer = service.get_customers_customer_id_addresses_search(customer, space, query=query, order="id:ASC")
        check.equal(f"addresses: search {query}", ids(answer), want)
    page = service.get_customers_customer_id_addresses_search(
        customer, space, order="address.city:DESC", limit=1, offset=1)
    # What has no town comes first when the order is descending.
    check.equal("addresses: search page", (ids(page), page.has_more, page.offset), ([made.id], True, 1))
    check.refused("addresses: bad query", 422, "unprocessable_entity",
                  lambda: service.get_customers_customer_id_addresses_search(customer, space, query="city:x"), "query")

    read = service.get_customers_customer_id_addresses_id(customer, made.id, space)
    check.equal("address: retrieve", read, made)
    changed = service.patch_customers_customer_id_addresses_id(
        customer, made.id, space, sdk.CustomerAddressActive(version=1, address_type="BILLING"))
    check.equal("address: update", (changed.version, changed.address_type.value), (2, "BILLING"))
    check.equal("address: kept", changed.address, made.address)
    changed = service.patch_customers_customer_id_addresses_id(
        customer, made.id, space, sdk.CustomerAddressActive(
            version=2, address=sdk.CustomerPostalAddressCreate(city="Basel")), expand=["customer"])
    check.equal("address: replaced", (changed.address.city, changed.address.street), ("Basel", None))
    check.equal("address: update expanded", changed.customer.given_name, "Anna")
    check.refused("address: stale", 409, "conflict", lambda: service.patch_customers_customer_id_addresses_id(
        customer, made.id, space, sdk.CustomerAddressActive(version=2)), "version")
    check.refused("address: other customer", 422, "unprocessable_entity",
                  lambda: service.post_customers_customer_id_addresses(
                      customer, space, sdk.CustomerAddressCreate(customer=customer + 1)), "customer")
    bad = sdk.CustomerPostalAddressCreate.model_construct(
        country="ZZ", city="x" * 101, postcode="x" * 41, salutation="x" * 21, street="x" * 301)
    check.refused("address: invalid", 422, "unprocessable_entity",
                  lambda: service.post_customers_customer_id_addresses(
                      customer, space, sdk.CustomerAddressCreate.model_construct(customer=customer, address=bad)),
                  "address.country", "address.city", "address.postcode", "address.salutation", "address.street")

    default = service.post_customers_customer_id_addresses_id_default
    check.equal("address: default", default(customer, made.id, space), None)
    default(customer, third.id, space)
    default(customer, third.id, space)
    flags = [item.default_address for item in listing(customer, space).data]
    check.equal("address: one default in all", flags, [False, False, True])

    check.equal("address: delete", service.delete_customers_customer_id_addresses_id(customer, plain.id, space), None)
    for what, call in [
        ("retrieve", lambda: service.get_customers_customer_id_addresses_id(customer, plain.id, space)),
        ("delete", lambda: service.delete_customers_customer_id_addresses_id(customer, plain.id, space)),
        ("default", lambda: default(customer, plain.id, space)),
        ("list of unknown", lambda: listing(1 << 50, space)),
        ("create for unknown", lambda: service.post_customers_customer_id_addresses(
            1 << 50, space, sdk.CustomerAddressCreate(customer=1 << 50))),
    ]:
        check.refused(f"address: {what} unknown", 404, "not_found", call)


def comments(check, sdk, space, service, customer, user):
    """Comments on a customer."""
    create = service.post_customers_customer_id_comments
    made = create(customer, space, sdk.CustomerCommentCreate(customer=customer, content="Called back.\nTwice."))
    check.equal("comment: type", type(made).__name__, "CustomerComment")
    check.equal("comment", (made.version, made.linked_space_id, made.created_by, made.pinned, made.content),
                (1, space, user, False, "Called back.\nTwice."))
    check.equal("comment: customer", (made.customer.id, made.customer.version), (customer, None))
    check.equal("comment: not edited", (made.edited_by, made.edited_on), (None, None))
    second = create(customer, space, sdk.CustomerCommentCreate(customer=customer, content="Žluť"), expand=["customer"])
    check.equal("comment: expanded", second.customer.given_name, "Anna")
    long = create(customer, space, sdk.CustomerCommentCreate(customer=customer, content="x" * 262144))
    check.equal("comment: longest", len(long.content), 262144)
    longer = sdk.CustomerCommentCreate.model_construct(customer=customer, content="x" * 262145)
    check.refused("comment: too long", 422, "unprocessable_entity", lambda: create(customer, space, longer), "content")
    check.refused("comment: other customer", 422, "unprocessable_entity", lambda: create(
        customer, space, sdk.CustomerCommentCreate(customer=customer + 1, content="x")), "customer")

    def ids(answer):
        return [item.id for item in answer.data]

    everyone = [made.id, second.id, long.id]
    listing = service.get_customers_customer_id_comments
    page = listing(customer, space, limit=2)
    check.equal("comments: list", (ids(page), page.has_more, page.limit), (everyone[:2], True, 2))
    check.equal("comments: after", ids(listing(customer, space, after=made.id)), everyone[1:])
    check.equal("comments: before", ids(listing(customer, space, before=long.id, limit=1)), [second.id])
    check.equal("comments: DESC", ids(listing(customer, space, order="DESC")), everyone[::-1])
    check.equal("comments: expand", listing(customer, space, expand=["customer"]).data[0].customer.given_name, "Anna")

    pin, unpin = (service.post_customers_customer_id_comments_id_pin,
                  service.post_customers_customer_id_comments_id_unpin)
    check.equal("comment: pin", pin(customer, second.id, space), None)
    pin(customer, second.id, space)
    read = service.get_customers_customer_id_comments_id(customer, second.id, space)
    check.equal("comment: pinned", (read.pinned, read.version, read.edited_on), (True, 2, None))
    for query, want in [
        ("pinned:true", [second.id]),
        ("pinned:false", [made.id, long.id]),
        ("content:~CALLED", [made.id]),
        ('content:"Žluť"', [second.id]),
        (f"createdBy:{user} version:2", [second.id]),
        ("editedOn:*", everyone),
        (f"customer:{customer} id:<{long.id}", everyone[:2]),
        ("createdOn:>2020-01-01 -pinned:true", [made.id, long.id]),
        ("", everyone),
    ]:
        answer = service.get_customers_customer_id_comments_search(customer, space, query=query, order="id:ASC")
        check.equal(f"comments: search {query}", ids(answer), want)
    page = service.get_customers_customer_id_comments_search(customer, space, order="id:DESC", limit=1, offset=1)
    check.equal("comments: search page", (ids(page), page.has_more, page.offset), ([second.id], True, 1))
    check.equal("comment: unpin", unpin(customer, second.id, space), None)
    unpin(customer, second.id, space)
    read = service.get_customers_customer_id_comments_id(customer, second.id, space, expand=["customer"])
    check.equal("comment: unpinned", (read.pinned, read.version), (False, 3))
    check.equal("comment: retrieve expanded", read.customer.given_name, "Anna")

    update = service.patch_customers_customer_id_comments_id
    changed = update(customer, made.id, space, sdk.CustomerCommentActive(version=1, content="Done."))
    check.equal("comment: update", (changed.version, changed.content, changed.edited_by), (2, "Done.", user))
    check.that("comment: edited", changed.edited_on is not None)
    check.refused("comment: stale", 409, "conflict", lambda: update(
        customer, made.id, space, sdk.CustomerCommentActive(version=1, content="No.")), "version")
    check.equal("comment: delete", service.delete_customers_customer_id_comments_id(customer, long.id, space), None)
    for what, call in [
        ("retrieve", lambda: service.get_customers_customer_id_comments_id(customer, long.id, space)),
        ("delete", lambda: service.delete_customers_customer_id_comments_id(customer, long.id, space)),
        ("pin", lambda: pin(customer, long.id, space)),
        ("unpin", lambda: unpin(customer, long.id, space)),
        ("update", lambda: update(customer, long.id, space, sdk.CustomerCommentActive(version=1))),
        ("list of unknown", lambda: listing(1 << 50, space)),
    ]:
        check.refused(f"comment: {what} unknown", 404, "not_found", call)


CATALOGUES = (
    "ConditionTypes Countries Currencies DebtCollectors DocumentTemplateTypes LabelDescriptors Languages "
    "LegalOrganizationForms PaymentConnectors PaymentMethodBrands PaymentMethods PaymentProcessors "
    "PaymentSalesChannels Permissions StaticValues"
).split()


def table():
    """The rows of the table of operations."""
    file = pathlib.Path(__file__).resolve().parents[2] / "operations.tsv"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def key_of(row):
    """What a row of a catalogue is retrieved by."""
    for name in ("id", "iso_code2", "currency_code", "ietf_code"):
        if getattr(row, name, None) is not None:
            return getattr(row, name)
    raise AssertionError(f"a row without a key: {row!r}")


def catalogues(check, sdk, credentials):
    """Every read of every catalogue: list, paging, search, retrieve, expand, errors."""
    configuration = sdk.Configuration(
        host=credentials["host"],
        user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"],
    )
    asked = 0
    for name in CATALOGUES:
        # The sister brand's build lacks debt collection.
        if not hasattr(sdk, f"{name}Service"):
            continue
        service = getattr(sdk, f"{name}Service")(configuration)
        methods = [row[10].split(".")[1] for row in table() if row[10].startswith(f"{name}Service.")]
        asked += len(methods)
        for method in [method for method in methods if method.endswith("_search")]:
            catalogue(check, service, method.removesuffix("_search"))
    check.that("catalogues: operations", asked >= 48, asked)
    countries = sdk.CountriesService(configuration)
    states = countries.get_countries_country_code_states("CH")
    check.equal("states of a country", (len(states), states[-1].id), (26, "CH-ZH"))
    check.equal("a state", countries.get_countries_states_id("CH-ZH").name, "Zürich")
    check.that("all states", len(countries.get_countries_states()) > 4000)
    swiss = countries.get_countries_code("CH")
    check.equal("a country", (swiss.iso_code3, swiss.numeric_code, swiss.name), ("CHE", "756", "Switzerland"))
    check.equal("its addresses", swiss.address_format.post_code_regex, "\\d{4}")
    yen = sdk.CurrenciesService(configuration).get_currencies_code("JPY")
    check.equal("a currency", (yen.numeric_code, yen.fraction_digits), (392, 0))
    german = sdk.LanguagesService(configuration).get_languages_code("de-CH")
    check.equal("a language", (german.iso2_code, german.iso3_code, german.country_code), ("de", "deu", "CH"))
    descriptors = sdk.LabelDescriptorsService(configuration)
    one = descriptors.get_label_descriptors(limit=1).data[0]
    check.equal("a reference", (one.group.id, one.group.name), (301, None))
    one = descriptors.get_label_descriptors_id(one.id, expand=["group"])
    check.equal("an expanded reference", one.group.name["en-US"], "Card")
    found = sdk.PaymentMethodsService(configuration).get_payment_methods_search(query="name:TWINT")
    check.equal("a payment method", [row.id for row in found.data], [1457546097639])


def catalogue(check, service, listing):
    """One catalogue, by the name of the SDK's method that lists it."""
    single = next(name for name in (f"{listing}_id", f"{listing}_code") if hasattr(service, name))
    rows, searching = getattr(service, listing)().data, getattr(service, f"{listing}_search")
    check.that(f"{listing}: rows", len(rows) > 0)
    for row in (rows[0], rows[-1]):
        check.equal(f"{listing}: retrieve", getattr(service, single)(key_of(row)), row)
    page = searching(limit=1, offset=1, order="")
    check.equal(f"{listing}: search", page.data, rows[1:2])
    check.equal(f"{listing}: page", (page.limit, page.offset, page.has_more), (1, 1, len(rows) > 2))
    check.refused(f"{listing}: unknown field", 422, "unprocessable_entity",
                  lambda: searching(query="nothing:1"), "query")
    is_numbered = isinstance(key_of(rows[0]), int)
    unknown = 1 << 50 if is_numbered else "ZZ-ZZ"
    check.refused(f"{listing}: unknown", 404, "not_found", lambda: getattr(service, single)(unknown))
    if is_numbered:
        ids = [row.id for row in rows]
        check.equal(f"{listing}: after", [r.id for r in getattr(service, listing)(after=ids[0]).data], ids[1:] + (
            [r.id for r in getattr(service, listing)(after=ids[-1], limit=1).data] if len(ids) == 10 else []))
        check.equal(f"{listing}: before", [r.id for r in getattr(service, listing)(before=ids[1]).data], ids[:1])


RECORDS = {
    # Service, what its methods are called, what a record is made and changed with.
    "Subscriber": ("Subscribers", "subscriptions_subscribers", "SubscriberCreate", "SubscriberUpdate"),
    "SubscriptionMetric": (
        "SubscriptionMetrics", "subscriptions_metrics", "SubscriptionMetricCreate",
        "SubscriptionMetricActive"),
    "SubscriptionAffiliate": (
        "SubscriptionAffiliates", "subscriptions_affiliates", "SubscriptionAffiliateCreate",
        "SubscriptionAffiliateUpdate"),
}


def records(check, sdk, space, credentials, mark):
    """Every operation on the records that are tables: life, states, pages, search, expand, errors."""
    configuration = sdk.Configuration(
        host=credentials["host"],
        user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"],
    )
    state = sdk.CreationEntityState
    members = {
        "Subscriber": lambda n: {
            "external_id": f"S-{mark}-{n}", "reference": f"R-{n}", "language": "de-CH",
            "email_address": f"s{n}.{mark}@example.com", "meta_data": {"mark": mark},
            "billing_address": sdk.AddressCreate(
                given_name="Anna", city="Zürich", country="CH", gender=sdk.Gender.FEMALE),
        },
        "SubscriptionMetric": lambda n: {
            "name": {"en-US": f"Metric {mark} {n}", "de-DE": f"Messgröße {n}"}, "type": 1},
        "SubscriptionAffiliate": lambda n: {
            "external_id": f"A-{mark}-{n}", "reference": f"ref-{n}", "name": "Partner",
            "state": state.INACTIVE},
    }
    for kind, (name, methods, create, change) in RECORDS.items():
        service = getattr(sdk, f"{name}Service")(configuration)
        post, patch, delete, one, many, search = (
            getattr(service, method.format(methods)) for method in [
                "post_{}", "patch_{}_id", "delete_{}_id", "get_{}_id", "get_{}", "get_{}_search"])
        make = lambda n: post(space, getattr(sdk, create)(**members[kind](n)))
        made = [make(n) for n in range(4)]
        first = made[0]
        check.equal(f"{kind}: type", type(first).__name__, kind)
        check.equal(f"{kind}: space, version", (first.linked_space_id, first.version), (space, 1))
        begun = state.INACTIVE if kind == "SubscriptionAffiliate" else state.ACTIVE
        check.equal(f"{kind}: state", first.state, begun)
        check.equal(f"{kind}: retrieve", one(first.id, space), first)
        ids = [record.id for record in made]
        page = many(space, limit=100)
        check.equal(f"{kind}: list", [r.id for r in page.data if r.id in ids], ids)
        page = many(space, after=ids[0], limit=2)
        check.equal(f"{kind}: page", ([r.id for r in page.data], page.has_more), (ids[1:3], True))
        page = many(space, before=ids[3], limit=2, order=sdk.SortingOrder.ASC)
        check.equal(f"{kind}: page before", [r.id for r in page.data], ids[1:3])
        page = search(space, query=f"id:>={ids[1]} id:<={ids[2]}", order="id:DESC", limit=1, offset=1)
        check.equal(f"{kind}: search", [r.id for r in page.data], [ids[1]])
        check.refused(f"{kind}: unknown field", 422, "unprocessable_entity",
                      lambda: search(space, query="nothing:1"), "query")
        same = patch(first.id, space, getattr(sdk, change)(version=1))
        check.equal(f"{kind}: nothing changed", same, first)
        text = {"name": {"en-US": "Other"}} if kind == "SubscriptionMetric" else {"language": "fr"}
        changed = patch(first.id, space, getattr(sdk, change)(version=1, **text))
        check.equal(f"{kind}: changed", (changed.version, {k: getattr(changed, k) for k in text}),
                    (2, text))
        check.refused(f"{kind}: stale", 409, "conflict",
                      lambda: patch(first.id, space, getattr(sdk, change)(version=1, **text)), "version")
        delete(first.id, space)
        gone = one(first.id, space)
        check.equal(f"{kind}: deleted", (gone.state, gone.version), (state.DELETED, 3))
        page = search(space, query=f"state:DELETED id:{first.id}")
        check.equal(f"{kind}: found deleted", [r.id for r in page.data], [first.id])
        check.refused(f"{kind}: never was", 404, "not_found", lambda: one(999999999, space))
        if kind != "SubscriptionMetric":
            check.equal(f"{kind}: the same external id", make(1), made[1])
    subscribers = sdk.SubscribersService(configuration)
    found = subscribers.get_subscriptions_subscribers_search(
        space, query=f"metaData.mark:{mark} billingAddress.city:~ürich", order="emailAddress:DESC")
    check.equal("subscribers by member", [r.reference for r in found.data], ["R-3", "R-2", "R-1", "R-0"])
    address = found.data[0].billing_address
    check.equal("an address", (address.given_name, address.country, address.gender),
                ("Anna", "CH", sdk.Gender.FEMALE))
    bad = sdk.SubscriberCreate(external_id=f"B-{mark}", language="-", description="4111111111111111",
                               disallowed_payment_method_configurations=[1])
    check.refused("a card", 422, "unprocessable_entity",
                  lambda: subscribers.post_subscriptions_subscribers(space, bad), "description")
    bad.description = None
    check.refused("every fault", 422, "unprocessable_entity",
                  lambda: subscribers.post_subscriptions_subscribers(space, bad),
                  "disallowedPaymentMethodConfigurations.0", "language")
    metrics = sdk.SubscriptionMetricsService(configuration)
    found = metrics.get_subscriptions_metrics_search(space, query=f"name:~{mark} type:1", expand=["type"])
    check.equal("a metric's type", found.data[0].type.name["en-US"], "Usage")
    check.equal("its id alone", metrics.get_subscriptions_metrics_id(found.data[0].id, space).type.name, None)
    unknown = sdk.SubscriptionMetricCreate(name={"en-US": "x"}, type=99)
    check.refused("an unknown type", 422, "unprocessable_entity",
                  lambda: metrics.post_subscriptions_metrics(space, unknown), "type")


def places(check, sdk, credentials, mark):
    """Accounts and spaces, by an administrator of the first account."""
    configuration = sdk.Configuration(
        host=credentials["host"], user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"])
    accounts, spaces = sdk.AccountsService(configuration), sdk.SpacesService(configuration)
    master = accounts.get_accounts_id(1, expand=["scope"])
    check.equal("master", (master.type, master.state, master.scope.id), (sdk.AccountType.MASTER, sdk.AccountState.ACTIVE, 1))
    made = accounts.post_accounts(sdk.AccountCreate(scope=1, name=f"Branch {mark}", subaccount_limit=1))
    check.equal("account", (made.name, made.type, made.parent_account.id, made.subaccount_limit),
                (f"Branch {mark}", sdk.AccountType.SUBACCOUNT, 1, 1))
    found = accounts.get_accounts_search(query=f"name:'Branch {mark}'", expand=["parentAccount"])
    check.equal("account found", [(one.id, one.parent_account.type) for one in found.data],
                [(made.id, sdk.AccountType.MASTER)])
    check.that("accounts listed", made.id in [one.id for one in accounts.get_accounts(limit=100, order="DESC").data])
    changed = accounts.patch_accounts_id(made.id, sdk.AccountUpdate(version=1, subaccount_limit=0))
    check.equal("account changed", (changed.subaccount_limit, changed.version), (0, 2))
    check.refused("one below too many", 422, "unprocessable_entity",
                  lambda: accounts.post_accounts(sdk.AccountCreate(scope=1, parent_account=made.id)), "parentAccount")
    accounts.post_accounts_id_deactivate(made.id)
    check.equal("at rest", accounts.get_accounts_id(made.id).state, sdk.AccountState.INACTIVE)
    accounts.post_accounts_id_activate(made.id)
    check.equal("in use", accounts.get_accounts_id(made.id).active, True)
    space = spaces.post_spaces(sdk.SpaceCreate(
        account=made.id, name=f"Shop {mark}", request_limit=1000, time_zone="Europe/Zurich", primary_currency="CHF",
        technical_contact_addresses=["it@example.com"],
        postal_address=sdk.SpaceAddressCreate(street="Gasse 1", city="Bern", country="CH", given_name="Ada")))
    check.equal("space", (space.name, space.request_limit, space.time_zone, space.primary_currency, space.account.id),
                (f"Shop {mark}", 1000, "Europe/Zurich", "CHF", made.id))
    check.equal("its address", (space.postal_address.city, space.postal_address.given_name), ("Bern", "Ada"))
    changed = spaces.patch_spaces_id(space.id, sdk.SpaceUpdate(version=1, state=sdk.CreationEntityState.INACTIVE))
    check.equal("space changed", (changed.state, changed.version), (sdk.CreationEntityState.INACTIVE, 2))
    found = spaces.get_spaces_search(query=f"name:'Shop {mark}' state:INACTIVE", expand=["account"])
    check.equal("space found", [(one.id, one.account.name) for one in found.data], [(space.id, f"Branch {mark}")])
    check.that("spaces listed", space.id in [one.id for one in spaces.get_spaces(limit=100, order="DESC").data])
    check.refused("an account with a space", 422, "unprocessable_entity", lambda: accounts.delete_accounts_id(made.id))
    spaces.delete_spaces_id(space.id)
    gone = spaces.get_spaces_id(space.id).state
    check.that("space deleted", gone in (sdk.CreationEntityState.DELETING, sdk.CreationEntityState.DELETED))
    accounts.delete_accounts_id(made.id)
    check.equal("account deleted", accounts.get_accounts_id(made.id).state, sdk.AccountState.DELETED)
    humans = sdk.HumanUsersService(configuration)
    file = humans.get_human_users_export_without_preload_content(fields=["emailAddress", "id"], query=f"emailAddress:~{mark}")
    check.equal("people as a file", file.data.decode().splitlines()[0], "emailAddress,id")


def people(check, sdk, space, credentials, mark, raw):
    """Application users, who sign in with their keys, human users, roles, and who holds them."""
    configuration = sdk.Configuration(
        host=credentials["host"], user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"])
    users, humans = sdk.ApplicationUsersService(configuration), sdk.HumanUsersService(configuration)
    roles, held = sdk.RolesService(configuration), sdk.ApplicationUsersRolesService(configuration)
    human_roles = sdk.HumanUsersRolesService(configuration)
    role = roles.post_roles(sdk.RoleCreate(account=1, name={"en-US": f"Desk {mark}"}))
    check.equal("role", (role.name, role.permissions, role.state),
                ({"en-US": f"Desk {mark}"}, [], sdk.RoleState.ACTIVE))
    # The SDK leaves out of a body what it takes for read only, and the id of a permission is.
    body = json.dumps({"version": 1, "permissions": [{"id": 101}]}).encode()
    check.equal("permissions", raw.send("PATCH", f"/roles/{role.id}", body)[0], 200)
    role = roles.get_roles_id(role.id)
    check.equal("role read", ([one.id for one in role.permissions], role.version), ([101], 2))
    check.that("roles listed", [one.id for one in roles.get_roles(limit=6).data] == [1, 2, 3, 4, 5, 6])
    found = roles.get_roles_search(query=f"name:'Desk {mark}'")
    check.equal("role found", [one.id for one in found.data], [role.id])
    user = users.post_application_users(sdk.ApplicationUserCreate(name=f"shop {mark}", primary_account=1))
    check.that("its key", len(base64.b64decode(user.mac_key)) == 32)
    check.equal("user", (users.get_application_users_id(user.id).name, user.state, user.user_type),
                (f"shop {mark}", sdk.CreationEntityState.ACTIVE, sdk.UserType.APPLICATION_USER))
    found = users.get_application_users_search(query=f"name:'shop {mark}'")
    check.equal("user found", [one.id for one in found.data], [user.id])
    check.that("users listed", user.id in [one.id for one in users.get_application_users(limit=100, order="DESC").data])

    def customers_of(key):
        return sdk.CustomersService(sdk.Configuration(
            host=credentials["host"], user_id=user.id, authentication_key=key))

    check.refused("no role", 403, "forbidden", lambda: customers_of(user.mac_key).get_customers(space))
    given = held.post_application_users_user_id_space_roles(user.id, role.id, space)
    check.equal("held", (given.role, given.user, given.space), (role.id, user.id, space))
    check.that("lets in", customers_of(user.mac_key).get_customers(space).limit == 10)
    listed = held.get_application_users_user_id_space_roles(user.id, space).data
    check.equal("held listed", [one.id for one in listed], [given.id])
    check.refused("held by somebody", 422, "unprocessable_entity", lambda: roles.delete_roles_id(role.id))
    wide = held.post_application_users_user_id_account_roles(user.id, role.id, 1, applies_on_sub_account=True)
    check.equal("for the account", (wide.account, wide.applies_on_sub_account), (1, True))
    listed = held.get_application_users_user_id_account_roles(user.id, 1).data
    check.equal("for the account listed", [one.id for one in listed], [wide.id])
    held.delete_application_users_user_id_account_roles(user.id, role.id, 1)
    second = users.post_application_users_user_id_keys(user.id)
    check.that("second key", customers_of(second.key).get_customers(space).limit == 10)
    keys = users.get_application_users_user_id_keys(user.id)
    check.equal("keys", [one.state for one in keys], [sdk.ApplicationKeyState.ACTIVE] * 2)
    users.delete_application_users_user_id_keys_id(user.id, second.id)
    check.refused("key gone", 401, "unauthorized", lambda: customers_of(second.key).get_customers(space))
    held.delete_application_users_user_id_space_roles(user.id, role.id, space)
    changed = users.patch_application_users_id(user.id, sdk.ApplicationUserUpdate(
        version=1, name=f"till {mark}", state=sdk.CreationEntityState.INACTIVE))
    check.equal("changed", (changed.name, changed.version), (f"till {mark}", 2))
    check.refused("stale", 409, "conflict", lambda: users.patch_application_users_id(
        user.id, sdk.ApplicationUserUpdate(version=1, name="x")), "version")
    users.delete_application_users_id(user.id)
    gone = users.get_application_users_id(user.id).state
    check.equal("deleted", gone, sdk.CreationEntityState.DELETED)
    changed = roles.patch_roles_id(role.id, sdk.RoleUpdate(version=2, name={"en-US": "Other", "de-DE": "Andere"}))
    check.equal("role changed", changed.name, {"en-US": "Other", "de-DE": "Andere"})
    email = f"{mark}@example.com"
    human = humans.post_human_users(sdk.HumanUserCreate(
        email_address=email, firstname="Ada", lastname="Lovelace", language="en-US", primary_account=1))
    check.equal("human", (human.email_address, human.firstname, human.primary_account), (email, "Ada", 1))
    page = humans.get_human_users_search_without_preload_content(query=f"emailAddress:{email}")
    number = json.loads(page.data)["data"][0]["id"]
    check.that("human listed", len(humans.get_human_users(limit=100).data) >= 1)
    check.equal("human read", humans.get_human_users_id(number).lastname, "Lovelace")
    changed = humans.patch_human_users_id(number, sdk.HumanUserUpdate(version=1, firstname="Augusta"))
    check.equal("human changed", changed.firstname, "Augusta")
    given = human_roles.post_human_users_user_id_space_roles(number, 5, space)
    listed = human_roles.get_human_users_user_id_space_roles(number, space).data
    check.equal("human holds", [one.id for one in listed], [given.id])
    human_roles.delete_human_users_user_id_space_roles(number, 5, space)
    wide = human_roles.post_human_users_user_id_account_roles(number, role.id, 1)
    listed = human_roles.get_human_users_user_id_account_roles(number, 1).data
    check.equal("human holds for the account", [one.id for one in listed], [wide.id])
    human_roles.delete_human_users_user_id_account_roles(number, role.id, 1)
    humans.delete_human_users_id(number)
    roles.delete_roles_id(role.id)
    check.equal("role deleted", roles.get_roles_id(role.id).state, sdk.RoleState.DELETED)


def single_sign_on(check, sdk, space, credentials, native, mark):
    """People whom a provider brings. The provider is made natively: this API has no operation for that."""
    configuration = sdk.Configuration(
        host=credentials["host"], user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"])
    users = sdk.SingleSignOnUsersService(configuration)
    held = sdk.SingleSignOnUsersRolesService(configuration)
    provider = {"name": f"Staff {mark}", "issuer": "https://login.example.com", "client_id": mark}
    request = urllib.request.Request(
        credentials["host"].removesuffix("/api/v2.0") + "/v1/providers", json.dumps(provider).encode(),
        {"Authorization": f"Bearer {native['api_key']}", "Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=25) as answer:
        number = json.loads(answer.read())["number"]
    made = users.post_single_sign_on_users(sdk.SingleSignOnUserCreate(
        provider=number, firstname="Ada", lastname=f"Lovelace {mark}", language="en-US"))
    check.equal("brought", (made.provider, made.firstname, made.primary_account, made.scope), (number, "Ada", 1, 1))
    check.refused("nobody's provider", 422, "unprocessable_entity", lambda: users.post_single_sign_on_users(
        sdk.SingleSignOnUserCreate(provider=number + 1000)), "provider")
    found = users.get_single_sign_on_users_search_without_preload_content(query=f"lastname:'Lovelace {mark}'")
    user = json.loads(found.data)["data"][0]
    check.equal("brought found", (user["userType"], user["state"]), ("SINGLE_SIGN_ON_USER", "CREATE"))
    check.that("brought listed", len(users.get_single_sign_on_users(limit=100).data) >= 1)
    check.equal("searched", len(users.get_single_sign_on_users_search(query=f"provider:{number}").data), 1)
    check.equal("brought read", users.get_single_sign_on_users_id(user["id"]).provider, number)
    changed = users.patch_single_sign_on_users_id(
        user["id"], sdk.SingleSignOnUserUpdate(version=1, firstname="Augusta"))
    check.equal("brought changed", changed.firstname, "Augusta")
    here = held.post_single_sign_on_users_user_id_space_roles(user["id"], 5, space)
    listed = held.get_single_sign_on_users_user_id_space_roles(user["id"], space).data
    check.equal("brought holds", [one.id for one in listed], [here.id])
    held.delete_single_sign_on_users_user_id_space_roles(user["id"], 5, space)
    wide = held.post_single_sign_on_users_user_id_account_roles(user["id"], 5, 1)
    listed = held.get_single_sign_on_users_user_id_account_roles(user["id"], 1).data
    check.equal("brought holds for the account", [one.id for one in listed], [wide.id])
    held.delete_single_sign_on_users_user_id_account_roles(user["id"], 5, 1)
    users.delete_single_sign_on_users_id(user["id"])
    left = users.get_single_sign_on_users_search(query=f"provider:{number}").data
    check.equal("brought deleted", left, [])


def transport(check, sdk, space, service, credentials, raw):
    """Credentials, scope headers, media types, limits."""
    def refused_as(what, answer, status, code, *fields):
        check.equal(f"{what}: status", answer[0], status)
        check.equal(f"{what}: code", answer[1].get("code"), code)
        check.equal(f"{what}: fields", sorted(answer[1].get("errors", {})), sorted(fields))

    check.refused("a space of others", 403, "forbidden", lambda: service.get_customers(1 << 40))
    wrong, _, _ = services(sdk, {**credentials, "authentication_key": base64.b64encode(b"x" * 32).decode()})
    check.refused("a wrong key", 401, "unauthorized", lambda: wrong.get_customers(space))
    unknown, _, _ = services(sdk, {**credentials, "user_id": 1 << 40})
    check.refused("an unknown user", 401, "unauthorized", lambda: unknown.get_customers(space))
    text, _, _ = services(sdk, {**credentials, "user_id": str(credentials["user_id"])})
    check.that("a user id as text", text.get_customers(space, limit=1) is not None)

    now = int(time.time())
    path = "/customers?limit=1"
    check.equal("milliseconds", raw.send("GET", path, claims={"iat": now * 1000})[0], 200)
    check.equal("type for typ", raw.send("GET", path, header={"typ": None, "type": "JWT", "ver": 1})[0], 200)
    for what, changes in [
        ("an old token", {"claims": {"iat": now - 400}}),
        ("a token of the future", {"claims": {"iat": now + 400}}),
        ("a token for another path", {"claims": {"requestPath": "/api/v2.0/customers"}}),
        ("a token for another method", {"claims": {"requestMethod": "POST"}}),
        ("another token version", {"header": {"ver": 2}}),
        ("no credentials", {"headers": {"Authorization": None}}),
    ]:
        refused_as(what, raw.send("GET", path, **changes), 401, "unauthorized")
    refused_as("no space", raw.send("GET", path, headers={"Space": None}), 400, "bad_request", "space")
    refused_as("no number", raw.send("GET", path, headers={"Space": "x"}), 400, "bad_request", "space")
    refused_as("not acceptable", raw.send("GET", path, headers={"Accept": "text/csv"}), 406, "not_acceptable")
    refused_as("no JSON", raw.send("POST", "/customers", b"a=b", headers={
        "Content-Type": "application/x-www-form-urlencoded"}), 415, "unsupported_media_type")
    refused_as("broken JSON", raw.send("POST", "/customers", b"{"), 400, "bad_request", "body")
    made = f'/customers/{raw.send("POST", "/customers", b"{}")[1]["id"]}'
    refused_as("no version", raw.send("PATCH", made, b"{}"), 400, "bad_request", "version")
    refused_as("a version as text", raw.send("PATCH", made, b'{"version":"1"}'), 400, "bad_request", "version")
    refused_as("a version as fraction", raw.send("PATCH", made, b'{"version":1.0}'), 400, "bad_request", "version")
    refused_as("no version of nobody", raw.send("PATCH", "/customers/999999999", b"{}"), 404, "not_found")
    refused_as("offset", raw.send("GET", "/customers/search?offset=10001"), 416, "range_not_satisfiable", "offset")
    check.equal("largest offset", raw.send("GET", "/customers/search?offset=10000")[0], 200)
    refused_as("limit", raw.send("GET", "/customers?limit=101"), 400, "bad_request", "limit")
    refused_as("no limit", raw.send("GET", "/customers?limit=0"), 400, "bad_request", "limit")
    refused_as("unknown path", raw.send("GET", "/nothing"), 404, "not_found")
    refused_as("not served", raw.send("GET", "/payment/transactions"), 501, "internal_server_error")
    transactions = sdk.TransactionsService(sdk.Configuration(
        host=credentials["host"], user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"]))
    try:
        transactions.get_payment_transactions(space)
        check.that("not served: refused", False)
    except sdk.ApiException as error:
        check.equal("not served", (type(error).__name__, error.status), ("ServiceException", 501))


class Receiver:
    """Takes what comes, and hands it out."""

    def __init__(self):
        got = self.got = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.put((self.headers.get("X-Signature"), body.decode()))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, kind):
        while True:
            signature, body = self.got.get(timeout=30)
            if json.loads(body)["listenerEntityTechnicalName"] == kind:
                return signature, body


def webhooks(check, sdk, space, credentials, mark):
    """URLs, listeners, what they are told, and that the SDK takes the signature."""
    configuration = sdk.Configuration(
        host=credentials["host"], user_id=credentials["user_id"],
        authentication_key=credentials["authentication_key"])
    urls, listeners = sdk.WebhookURLsService(configuration), sdk.WebhookListenersService(configuration)
    keys = sdk.WebhookEncryptionKeysService(configuration)
    customer_service, address_service, comment_service = services(sdk, credentials)
    receiver, state = Receiver(), sdk.CreationEntityState
    url = urls.post_webhooks_urls(space, sdk.WebhookUrlCreate(url=receiver.url, name=f"till {mark}"))
    check.equal("url", (url.url, url.state, url.application_managed, url.version), (receiver.url, state.ACTIVE, False, 1))
    check.equal("url read", urls.get_webhooks_urls_id(url.id, space), url)
    check.that("urls listed", url.id in [one.id for one in urls.get_webhooks_urls(space, limit=100).data])
    found = urls.get_webhooks_urls_search(space, query=f"name:'till {mark}'")
    check.equal("url found", [one.id for one in found.data], [url.id])

    def watch(entity, **more):
        return listeners.post_webhooks_listeners(space, sdk.WebhookListenerCreate(
            entity=entity, url=url.id, notify_every_change=True, **more))

    made = [watch(1700000000000 + number) for number in (1, 2, 3)]
    payments = listeners.post_webhooks_listeners(space, sdk.WebhookListenerCreate(
        entity=1472041829003, url=url.id, name="payments", entity_states=["AUTHORIZED", "FULFILL"]), expand=["url"])
    check.equal("listener", (payments.entity, payments.entity_states, payments.url.url, payments.state),
                (1472041829003, ["AUTHORIZED", "FULFILL"], receiver.url, state.ACTIVE))
    check.equal("signs", payments.enable_payload_signature_and_state, True)
    read = listeners.get_webhooks_listeners_id(payments.id, space, expand=["group"])
    check.equal("listener read", (read.name, read.url.id, read.url.url), ("payments", url.id, None))
    found = listeners.get_webhooks_listeners_search(space, query="entity:1472041829003", order="id:DESC", limit=1)
    check.equal("listener found", [one.id for one in found.data], [payments.id])
    check.that("listeners listed", len(listeners.get_webhooks_listeners(space, limit=100).data) >= 4)
    check.refused("unknown entity", 422, "unprocessable_entity",
                  lambda: watch(17), "entity")
    changed = listeners.patch_webhooks_listeners_id(
        payments.id, space, sdk.WebhookListenerUpdate(version=1, state=state.INACTIVE))
    check.equal("listener changed", (changed.state, changed.entity_states, changed.version),
                (state.INACTIVE, ["AUTHORIZED", "FULFILL"], 2))

    time.sleep(1.5)  # A node takes listeners in within half a second.
    customer = customer_service.post_customers(space, sdk.CustomerCreate(given_name="Anna"))
    signature, body = receiver.next("Customer")
    told = json.loads(body)
    check.equal("members", list(told), sorted(told))
    check.equal("told", {name: told[name] for name in told if name not in ("eventId", "timestamp")}, {
        "entityId": customer.id, "listenerEntityId": 1700000000001, "spaceId": space,
        "listenerEntityTechnicalName": "Customer", "webhookListenerId": made[0].id})
    check.that("time", bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", told["timestamp"])))
    check.equal("valid", keys.is_content_valid(signature, body), True)
    check.equal("altered", keys.is_content_valid(signature, body + " "), False)
    strange = re.sub("keyId=[^,]*", f"keyId={uuid.uuid4()}", signature)
    check.refused("unknown key", 404, "not_found", lambda: keys.is_content_valid(strange, body))
    address = address_service.post_customers_customer_id_addresses(
        customer.id, space, sdk.CustomerAddressCreate(customer=customer.id, address_type="BILLING"))
    check.equal("address", json.loads(receiver.next("CustomerAddress")[1])["entityId"], address.id)
    comment = comment_service.post_customers_customer_id_comments(
        customer.id, space, sdk.CustomerCommentCreate(content="hello", customer=customer.id))
    check.equal("comment", json.loads(receiver.next("CustomerComment")[1])["entityId"], comment.id)

    many = urls.post_webhooks_urls_bulk(space, [sdk.WebhookUrlCreate(url=receiver.url)] * 2)
    check.equal("urls made", [one.status_code for one in many], [201, 201])
    without = urls.patch_webhooks_urls_bulk(space, [sdk.WebhookUrlUpdate(version=1, name="x")])
    check.equal("urls changed without id", [one.status_code for one in without], [422])
    gone = urls.delete_webhooks_urls_bulk(space, [one.id for one in many] + [url.id])
    check.equal("urls deleted", [one.status_code for one in gone], [204, 204, 409])
    check.refused("url in use", 409, "conflict", lambda: urls.delete_webhooks_urls_id(url.id, space))
    more = listeners.post_webhooks_listeners_bulk(space, [sdk.WebhookListenerCreate(entity=1472041839405, url=url.id)])
    check.equal("listeners made", [one.status_code for one in more], [201])
    without = listeners.patch_webhooks_listeners_bulk(space, [sdk.WebhookListenerUpdate(version=1)])
    check.equal("listeners changed without id", [one.status_code for one in without], [422])
    gone = listeners.delete_webhooks_listeners_bulk(space, [one.id for one in made] + [more[0].id])
    check.equal("listeners deleted", [one.status_code for one in gone], [204] * 4)
    listeners.delete_webhooks_listeners_id(payments.id, space)
    check.equal("listener gone", listeners.get_webhooks_listeners_id(payments.id, space).state, state.DELETED)
    changed = urls.patch_webhooks_urls_id(url.id, space, sdk.WebhookUrlUpdate(version=1, name="last"))
    check.equal("url changed", (changed.name, changed.version), ("last", 2))
    urls.delete_webhooks_urls_id(url.id, space)
    check.equal("url gone", urls.get_webhooks_urls_id(url.id, space).state, state.DELETED)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--credentials", required=True, help="the sandbox JSON")
    parser.add_argument("--package", default="wallee", choices=["wallee", "postfinancecheckout"])
    arguments = parser.parse_args()
    with open(arguments.credentials, encoding="utf-8") as file:
        everything = json.load(file)
    credentials, native = everything["wallee"], everything["native"]
    sdk = importlib.import_module(arguments.package)
    check = Checks()
    check.sdk = sdk
    space, mark = credentials["space_id"], uuid.uuid4().hex[:8]
    customer_service, address_service, comment_service = services(sdk, credentials)
    raw = Raw(credentials)
    kept = {}

    def make_customer():
        kept["id"] = customers(check, sdk, space, customer_service, mark)

    for part in [
        make_customer,
        lambda: lists(check, sdk, space, customer_service, mark),
        lambda: bulk(check, sdk, space, customer_service, raw, mark),
        lambda: merge(check, sdk, space, customer_service, address_service, comment_service, mark),
        lambda: addresses(check, sdk, space, address_service, kept["id"]),
        lambda: comments(check, sdk, space, comment_service, kept["id"], credentials["user_id"]),
        lambda: catalogues(check, sdk, credentials),
        lambda: records(check, sdk, space, credentials, mark),
        lambda: people(check, sdk, space, credentials, mark, raw),
        lambda: single_sign_on(check, sdk, space, credentials, native, mark),
        lambda: webhooks(check, sdk, space, credentials, mark),
        lambda: places(check, sdk, credentials, mark),
        lambda: transport(check, sdk, space, customer_service, credentials, raw),
    ]:
        try:
            part()
        except Exception:  # One part that breaks off must not hide the others.
            check.that("a part ran to its end", False)
            traceback.print_exc(file=sys.stdout)
    print(f"{check.passed} passed, {check.failed} failed")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
