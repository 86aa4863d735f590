"""The client that openapi-python-client makes of the native API, at work."""

import json
import sys
from datetime import datetime

from native_client import AuthenticatedClient
from native_client.api.addresses import create_address
from native_client.api.customers import create_customer, get_customer, list_customers, update_customer
from native_client.models import AddressInput, CustomerInput, Purpose, SettableStatus

base, keys = sys.argv[1:]
with open(keys, encoding="utf-8") as file:
    key = json.load(file)["native"]["api_key"]
client = AuthenticatedClient(base_url=base, token=key, raise_on_unexpected_status=True)

made = create_customer.sync(client=client, body=CustomerInput(given_name="Ada", email="ada@client.example"))
assert made.given_name == "Ada" and made.version == 1, made
assert isinstance(made.created_at, datetime), made.created_at
number = str(made.number)

known = get_customer.sync(id=number, client=client)
assert known.id == made.id and known.status == "active", known
found = list_customers.sync(client=client, email="ada@client.example", created_atgte=made.created_at)
assert [customer.number for customer in found.data] == [made.number], found

blocked = update_customer.sync(id=number, client=client, body=CustomerInput(status=SettableStatus.BLOCKED))
assert blocked.status == "blocked" and blocked.given_name == "Ada", blocked
address = create_address.sync(id=number, client=client, body=AddressInput(purpose=Purpose.BILLING, city="London"))
assert address.purpose is Purpose.BILLING and address.city == "London", address
