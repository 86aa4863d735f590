"""Checks webhooks that came with the official library: what was signed passes, with the old and the new secret; what was
altered or is old does not.

Usage: check.py FILE, JSON: {"secrets": [...], "got": [{"headers": {...}, "body": "..."}]}"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

with open(sys.argv[1], encoding="utf-8") as file:
    given = json.load(file)


def passes(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


for got in given["got"]:
    body, headers = got["body"], got["headers"]
    for secret in given["secrets"]:
        assert passes(secret, body, headers), headers
        assert not passes(secret, body + " ", headers)
        old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 360)}
        assert not passes(secret, body, old)
        assert not passes(secret, body, {**headers, "webhook-id": headers["webhook-id"] + "0"})
    assert not passes("whsec_" + "A" * 32, body, headers)
print(f"{len(given['got'])} checked, 0 failed")
