"""A customer by the official SDK (pip install payabli).

    patron sandbox --print > sandbox.json
    python first_customer.py sandbox.json
"""

import json
import sys

from payabli import payabli

with open(sys.argv[1], encoding="utf-8") as file:
    keys = json.load(file)["payabli"]

# The base URL is all that differs from what calls the provider.
client = payabli(base_url=keys["base_url"], api_key=keys["request_token"])

made = client.customer.add_customer(
    keys["entry"], customer_number="py-1", firstname="Irene", lastname="Canizales", email="irene@example.com")
seen = client.customer.get_customer(made.response_data.customer_id)
assert seen.firstname == "Irene"
print(f"Customer {seen.customer_id}: {seen.firstname} {seen.lastname}")
