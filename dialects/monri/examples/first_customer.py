"""A customer without an SDK, as Monri publishes none for this API: Python's standard library.

    patron sandbox --print > sandbox.json
    python first_customer.py sandbox.json
"""

import hashlib
import json
import sys
import time
import urllib.request

with open(sys.argv[1], encoding="utf-8") as file:
    keys = json.load(file)["monri"]


def call(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else b""
    token, now = keys["authenticity_token"], str(int(time.time()))
    signed = keys["merchant_key"] + now + token + path
    digest = hashlib.sha512(signed.encode() + data).hexdigest()
    request = urllib.request.Request(keys["base_url"] + path, method=method, data=data or None)
    request.add_header("Authorization", f"WP3-v2.1 {token} {now} {digest}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


made = call("POST", "/v2/customers", {"name": "Iva Horvat", "email": "iva@example.com", "country": "HR"})
seen = call("GET", f"/v2/customers/{made['uuid']}")
assert seen["name"] == "Iva Horvat"
print(f"Customer {seen['uuid']}: {seen['name']}")
