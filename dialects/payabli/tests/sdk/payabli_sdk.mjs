// Drives the customer calls of the Node.js SDK (@payabli/sdk-node) against a server.
//
//     node payabli_sdk.mjs --credentials FILE
//
// FILE is the JSON that `patron sandbox --print` prints (the whole of it, or its `payabli` part).
// Prints `N passed, M failed`; ends with 1 when a check failed.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { PayabliClient, PayabliError } from "@payabli/sdk-node";

let passed = 0;
let failed = 0;

function equal(name, have, want) {
  if (isDeepStrictEqual(have, want)) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`FAILED ${name}: ${JSON.stringify(have)}, expected ${JSON.stringify(want)}`);
  }
}

async function refused(name, call, status) {
  try {
    await call();
    equal(name, "no error", status);
  } catch (error) {
    equal(name, error instanceof PayabliError ? error.statusCode : String(error), status);
    return error;
  }
}

function person(tag) {
  return {
    customerNumber: `${tag}-1`, firstname: "Noor", lastname: `Haddad ${tag}`,
    company: `Company ${tag}`, phone: "(423) 555-0117", email: `${tag}@example.org`,
    address: `9 Mill St ${tag}`, address1: "2nd floor", city: "Erwin", state: "TN", zip: "37650",
    country: "US", shippingAddress: "1 Dock", shippingAddress1: "Gate 4", shippingCity: "Unicoi",
    shippingState: "NC", shippingZip: "28701", shippingCountry: "US", balance: 10.5, timeZone: -5,
    customerUsername: `user-${tag}`, customerPsw: "correct horse", customerStatus: 1,
    additionalFields: { tier: `gold-${tag}` }, identifierFields: ["customerNumber"],
  };
}

async function oneCustomer(client, entry, tag) {
  const added = await client.customer.addCustomer(entry, { body: person(tag), idempotencyKey: tag });
  const record = added.responseData;
  equal("add", [added.isSuccess, added.responseText, added.responseCode], [true, "Success", 1]);
  equal("add: number", record.customerNumber, `${tag}-1`);
  equal("add: phone", record.Phone, "+14235550117");
  equal("add: fields", record.AdditionalFields, { tier: `gold-${tag}` });
  const id = record.customerId;
  const again = await client.customer.addCustomer(entry, { body: person(tag), idempotencyKey: tag });
  equal("repeat", again.responseData.customerId, id);
  const forced = await client.customer.addCustomer(entry, {
    body: { customerNumber: `${tag}-1` }, forceCustomerCreation: true,
  });
  equal("forced: another", forced.responseData.customerId !== id, true);
  await client.customer.deleteCustomer(forced.responseData.customerId);
  const replaced = await client.customer.addCustomer(entry, {
    body: { customerNumber: `${tag}-1`, city: "Unicoi" }, replaceExisting: 1,
  });
  equal("replace", [replaced.responseData.customerId, replaced.responseData.City], [id, "Unicoi"]);
  const updated = await client.customer.updateCustomer(id, { firstname: "Nora" });
  equal("update", [updated.isSuccess, updated.responseData], [true, " "]);
  const got = await client.customer.getCustomer(id);
  equal("get", [got.Firstname, got.Lastname, got.Balance], ["Nora", `Haddad ${tag}`, 10.5]);
  equal("consent", (await client.customer.requestConsent(id)).responseData, " ");
  const consent = (await client.customer.getCustomer(id)).customerConsent;
  equal("consent: pending", consent.eCommunication.status, -1);
  equal("link", (await client.customer.linkCustomerTransaction(id, "129-219")).responseData, " ");
  equal("statistics", await client.statistic.customerBasicStats(id, "m", "ytd"), []);
  return id;
}

async function lists(client, keys, id, tag) {
  const find = async (filter) => {
    const parameters = { "customernumber(ct)": tag, ...filter };
    const answer = await client.query.listCustomers(keys.entry, { parameters });
    return answer.Records.map((record) => record.customerId);
  };
  const texts = {
    customernumber: `${tag}-1`, firstname: "nora", lastname: `haddad ${tag}`,
    address: `9 mill st ${tag}`, city: "unicoi", country: "us", zip: "37650", state: "tn",
    shippingaddress: "1 dock", shippingcity: "unicoi", shippingcountry: "us",
    shippingzip: "28701", shippingstate: "nc", phone: "+14235550117", email: `${tag}@example.org`,
    company: `company ${tag}`, username: `user-${tag}`, "additional-tier": `gold-${tag}`,
  };
  for (const [field, value] of Object.entries(texts)) {
    for (const [op, want] of [["eq", [id]], ["ne", []], ["ct", [id]], ["nct", []]]) {
      equal(`${field}(${op})`, await find({ [`${field}(${op})`]: value }), want);
    }
  }
  const others = [
    ["name(ct)", "nora haddad", [id]], ["name(nct)", "nora", []], ["balance(gt)", "10", [id]],
    ["balance(ge)", "10.5", [id]], ["balance(lt)", "10.5", []], ["balance(le)", "10.50", [id]],
    ["balance(eq)", "10.5", [id]], ["balance(ne)", "10.5", []], ["status(eq)", "1", [id]],
    ["status(ne)", "1", []], ["status(in)", "0|1", [id]], ["status(nin)", "1|85", []],
    ["createdDate(gt)", "2020-01-01T00:00:00", [id]], ["createdDate(lt)", "2020-01-01", []],
    ["orgId(eq)", String(keys.org_id), [id]], ["paypointId(ne)", "0", [id]],
    ["orgName(ct)", "no such", []], ["paypointLegal(ne)", "no such", [id]],
    ["paypointDba(nct)", "no such", [id]],
  ];
  for (const [name, value, want] of others) {
    equal(name, await find({ [name]: value }), want);
  }
  const page = await client.query.listCustomers(keys.entry, {
    fromRecord: 0, limitRecord: 1, sortBy: "desc(createdDate)",
  });
  equal("page", [page.Records.length, page.Summary.pageSize], [1, 1]);
  equal("page: pages", page.Summary.totalPages, page.Summary.totalRecords);
  const parameters = { "customernumber(ct)": tag };
  const org = await client.query.listCustomersOrg(keys.org_id, { parameters });
  equal("org", org.Records.map((record) => record.customerId), [id]);
}

async function around(client, keys, tag) {
  const csv = `customerNumber,firstname\n${tag}-a,Anna\n,Nobody\n`;
  const file = new File([csv], "customers.csv", { type: "text/csv" });
  const verdict = await client.import.importCustomer(keys.entry, { file, replaceExisting: 0 });
  equal("import", [verdict.responseData.added, verdict.responseData.rejected], [1, 1]);
  equal("settings", (await client.paypoint.settingsPage(keys.entry)).identifiers, []);
  const org = await client.organization.getSettingsOrganization(keys.org_id);
  equal("settings of the org", org.customFields, []);
}

async function notifications(client) {
  const target = "http://127.0.0.1:9091/hook";
  const made = await client.notification.addNotification({
    content: { eventType: "CustomerUpdated" }, frequency: "untilcancelled", method: "web",
    ownerType: 2, status: 1, target,
  });
  const one = String(made.responseData);
  const record = await client.notification.getNotification(one);
  equal("notification", [record.target, record.content.eventType, record.status],
    [target, "CustomerUpdated", 1]);
  await client.notification.updateNotification(one, {
    frequency: "untilcancelled", method: "web", ownerType: 2, status: 0, target,
  });
  equal("notification: off", (await client.notification.getNotification(one)).status, 0);
  await client.notification.deleteNotification(one);
  await refused("notification: gone", () => client.notification.getNotification(one), 400);
}

async function ending(client, keys, id, tag) {
  equal("delete", (await client.customer.deleteCustomer(id)).responseData, " ");
  await refused("gone", () => client.customer.getCustomer(id), 400);
  const parameters = { "email(ct)": tag, "status(eq)": "-99" };
  const answer = await client.query.listCustomers(keys.entry, { parameters });
  equal("listed when asked", answer.Records.map((record) => record.customerId), [id]);
  const error = await refused(
    "no identifier", () => client.customer.addCustomer(keys.entry, { body: { company: "x" } }), 400);
  equal("no identifier: text", error?.body?.responseText,
    "Invalid customer identifiers: customerNumber");
  await refused("unknown entry", () => client.query.listCustomers("ffffffffff0"), 400);
  const nobody = new PayabliClient({ baseUrl: keys.base_url, apiKey: "nobody" });
  await refused("unknown token", () => nobody.customer.getCustomer(1), 401);
}

const at = process.argv.indexOf("--credentials");
if (at < 0 || !process.argv[at + 1]) {
  console.error("usage: node payabli_sdk.mjs --credentials FILE");
  process.exit(2);
}
const all = JSON.parse(readFileSync(process.argv[at + 1], "utf8"));
const keys = all.payabli ?? all;
const client = new PayabliClient({ baseUrl: keys.base_url, apiKey: keys.request_token });
const tag = randomUUID().slice(0, 8);
const id = await oneCustomer(client, keys.entry, tag);
await lists(client, keys, id, tag);
await around(client, keys, tag);
await notifications(client);
await ending(client, keys, id, tag);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
