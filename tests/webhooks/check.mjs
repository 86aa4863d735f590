// Checks webhooks that came with the official library: what was signed passes, with the old and the new secret; what was
// altered or is old does not. Usage: check.mjs FILE, JSON: {"secrets": [...], "got": [{"headers": {...}, "body": "..."}]}

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));

const passes = (secret, body, headers) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

for (const { body, headers } of given.got) {
  for (const secret of given.secrets) {
    assert(passes(secret, body, headers));
    assert(!passes(secret, body + " ", headers));
    const old = String(Number(headers["webhook-timestamp"]) - 360);
    assert(!passes(secret, body, { ...headers, "webhook-timestamp": old }));
    assert(!passes(secret, body, { ...headers, "webhook-id": headers["webhook-id"] + "0" }));
  }
  assert(!passes("whsec_" + "A".repeat(32), body, headers));
}
console.log(`${given.got.length} checked, 0 failed`);
