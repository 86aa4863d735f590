"""A customer by the official SDK (pip install wallee; postfinancecheckout works the same).

    patron sandbox --print > sandbox.json
    python first_customer.py sandbox.json
"""

import json
import sys

import wallee

with open(sys.argv[1], encoding="utf-8") as file:
    keys = json.load(file)["wallee"]

# The only line that differs from what calls the provider is the host.
configuration = wallee.Configuration(
    host=keys["host"],
    user_id=keys["user_id"],
    authentication_key=keys["authentication_key"],
)
customers = wallee.CustomersService(configuration)
space = keys["space_id"]

anna = wallee.CustomerCreate(given_name="Anna", family_name="Muster", email_address="anna.muster@example.com")
made = customers.post_customers(space, anna)
found = customers.get_customers_search(space, query="emailAddress:anna.muster@example.com")
assert made.id in [customer.id for customer in found.data]
print(f"Customer {made.id}: {made.given_name} {made.family_name}")
