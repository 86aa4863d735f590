// What programs use: a key is made, changed, replaced and revoked.
import { check } from "./visit.mjs";

async function keys(visit) {
  const { page, name } = visit;
  const called = `Plug-in ${name}`;
  await page.goto("/console/s/1/keys");
  await visit.looked("keys");
  await page.getByRole("link", { name: "New key" }).first().click();
  await visit.looked("new key");
  await visit.field("name", called);
  await visit.field("addresses", "no network");
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("alert").waitFor();
  check((await page.locator("#name").inputValue()) === called, `${name}: what was typed stays`);
  await visit.looked("new key refused");
  await visit.field("addresses", "");
  await page.getByLabel("These at most:").check();
  await page.getByRole("group", { name: "Customers" }).getByLabel("see", { exact: true }).check();
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.locator("#secret-1").waitFor();
  const secret = await page.locator("#secret-1").inputValue();
  await visit.looked("key made");
  // It is good, for what it was made for.
  const asked = (method, path) => page.request.fetch(path, {
    method, headers: { Authorization: `Bearer ${secret}`, Cookie: "" }, data: method === "GET" ? undefined : {},
  });
  check((await asked("GET", "/v1/customers?limit=1")).status() === 200, `${name}: the key reads`);
  check((await asked("POST", "/v1/customers")).status() === 403, `${name}: the key does not write`);
  await page.getByRole("link", { name: "I have copied it" }).click();
  await page.waitForURL(/\/keys\/\d+$/);
  const one = page.url();
  check(!(await page.content()).includes(secret), `${name}: a secret is shown once`);
  await visit.looked("key");
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await visit.looked("key edit");
  await visit.field("addresses", "127.0.0.0/8\n::1");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/done=saved/);
  check((await page.content()).includes("127.0.0.0/8"), `${name}: networks are kept`);
  await page.getByRole("link", { name: "Replace", exact: true }).click();
  await visit.looked("key rotation");
  await page.getByRole("button", { name: "Replace the key" }).click();
  await page.locator("#secret-1").waitFor();
  check((await page.locator("#secret-1").inputValue()) !== secret, `${name}: another secret`);
  await page.goto(one);
  await visit.looked("key replaced");
  check((await asked("GET", "/v1/customers?limit=1")).status() === 200, `${name}: the old one goes on`);
  await page.getByRole("link", { name: "Revoke", exact: true }).click();
  await visit.field("word", "something else");
  await page.getByRole("button", { name: "Revoke for good" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("key revocation refused");
  await visit.field("word", called);
  await page.getByRole("button", { name: "Revoke for good" }).click();
  await page.waitForURL(/done=key-revoked/);
  await visit.looked("key revoked");
  check((await asked("GET", "/v1/customers?limit=1")).status() === 401, `${name}: it opens nothing`);
  await page.goto("/console/s/1/keys?state=revoked&scope=account&dialect=native");
  await visit.looked("keys found");
}

export async function developers(visit) {
  await keys(visit);
}
