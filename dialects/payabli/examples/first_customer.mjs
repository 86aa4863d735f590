// A customer by the official SDK (npm install @payabli/sdk-node).
//
//     patron sandbox --print > sandbox.json
//     node first_customer.mjs sandbox.json

import { readFileSync } from "node:fs";
import { PayabliClient } from "@payabli/sdk-node";

const keys = JSON.parse(readFileSync(process.argv[2], "utf8")).payabli;

// The base URL is all that differs from what calls the provider.
const client = new PayabliClient({ baseUrl: keys.base_url, apiKey: keys.request_token });

const body = { customerNumber: "js-1", firstname: "Irene", lastname: "Canizales", email: "irene@example.com" };
const made = await client.customer.addCustomer(keys.entry, { body });
const seen = await client.customer.getCustomer(made.responseData.customerId);
if (seen.Firstname !== "Irene") throw new Error(JSON.stringify(seen));
console.log(`Customer ${seen.customerId}: ${seen.Firstname} ${seen.Lastname}`);
