"""A customer without an SDK, as Verifone publishes none for this API: Python's standard library.

    patron sandbox --print > sandbox.json
    python first_customer.py sandbox.json
"""

import base64
import json
import sys
import urllib.request

with open(sys.argv[1], encoding="utf-8") as file:
    keys = json.load(file)["verifone"]
pair = f"{keys['user_id']}:{keys['api_key']}".encode()


def call(method, path, body=None):
    request = urllib.request.Request(keys["base_url"] + path, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode())
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


ada = {
    "entity_id": keys["entity_id"],
    "email_address": "ada@example.com",
    "billing": {"first_name": "Ada", "last_name": "Lovelace", "country_code": "GB"},
}
made = call("POST", "/v2/customer", ada)
seen = call("GET", f"/v2/customer/{made['id']}")
assert seen["billing"]["first_name"] == "Ada"
print(f"Customer {seen['id']}: {seen['email_address']}")
