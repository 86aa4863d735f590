"""A customer by the official SDK (pip install notchpay).

    patron sandbox --print > sandbox.json
    python first_customer.py sandbox.json
"""

import json
import sys

from notchpay import NotchPay

with open(sys.argv[1], encoding="utf-8") as file:
    keys = json.load(file)["notchpay"]

client = NotchPay(keys["public_key"], grant_key=keys["private_key"])
# The SDK has its host built in and no setting for it: its HTTP client is pointed elsewhere.
client._client.base_url = keys["base_url"]

made = client.customers.create({"name": "Awa Ndiaye", "email": "awa@example.com", "phone": "+237670000000"})
seen = client.customers.retrieve(made.customer.id)
assert seen.customer.name == "Awa Ndiaye"
print(f"Customer {seen.customer.id}: {seen.customer.name}")
