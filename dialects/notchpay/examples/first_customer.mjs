// A customer, and a list by the official SDK (npm install notchpay.js), which is for payments in browsers and
// has its host built in: a fetch of ours changes the host. It has no call for customers, so one is made by fetch.
//
//     patron sandbox --print > sandbox.json
//     node first_customer.mjs sandbox.json

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const keys = JSON.parse(readFileSync(process.argv[2], "utf8")).notchpay;
const PROVIDER = "https://api.notchpay.co";

globalThis.window = {
  fetch: (url, init) =>
    fetch(url.replace(PROVIDER, keys.base_url).replace("/payments", "/customers"), init),
};
globalThis.self = globalThis;
const NotchPay = createRequire(import.meta.url)("notchpay.js");

const headers = { "Content-Type": "application/json", Authorization: keys.public_key };
const body = JSON.stringify({ name: "Awa Ndiaye", email: "awa@example.com" });
const made = await fetch(`${keys.base_url}/customers`, { method: "POST", headers, body });
const { customer } = await made.json();

const client = NotchPay(keys.public_key);
const page = await client.payments.listPayments({ perpage: 5, page: 1 });
if (page.items[0].id !== customer.id) throw new Error(JSON.stringify(page));
console.log(`Customer ${customer.id}: ${customer.name}`);
