// What programs use: a key is made, changed, replaced and revoked.
import { createServer } from "node:http";
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

// Somebody who is told: answers as it is set to.
async function receiver() {
  const own = { status: 200, got: [] };
  const server = createServer((request, answer) => {
    own.got.push(request.headers["webhook-id"]);
    request.resume();
    answer.writeHead(own.status).end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  own.url = `http://127.0.0.1:${server.address().port}/hook`;
  own.close = () => server.close();
  return own;
}

async function webhooks(visit) {
  const { page, name } = visit;
  const own = await receiver();
  const act = (button) => page.getByRole("button", { name: button, exact: true }).click();
  await page.goto("/console/s/1/webhooks");
  await visit.looked("webhooks");
  await page.getByRole("link", { name: "New endpoint" }).first().click();
  await visit.looked("new webhook");
  await visit.field("url", "nowhere");
  await act("Make the endpoint");
  await page.getByRole("alert").waitFor();
  await visit.looked("new webhook refused");
  await visit.field("url", own.url);
  await visit.field("description", `Till ${name}`);
  await page.getByLabel("Only these:").check();
  await page.getByRole("group", { name: "Comments" }).getByLabel("created").check();
  await act("Make the endpoint");
  await page.locator("#secret-1").waitFor();
  const secret = await page.locator("#secret-1").inputValue();
  await visit.looked("webhook made");
  await page.getByRole("link", { name: "I have copied it" }).click();
  await page.waitForURL(/\/webhooks\/\d+$/);
  const one = page.url();
  check(!(await page.content()).includes(secret), `${name}: a secret is shown once`);
  await act("Send a test");
  await page.getByText("HTTP 200").waitFor();
  check(own.got.length === 1, `${name}: the test arrived`);
  await visit.looked("webhook tested");
  await page.goto(one);
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await visit.looked("webhook edit");
  await visit.field("timeout_seconds", "9");
  await act("Save");
  await page.waitForURL(/done=saved/);
  await act("New secret");
  await page.locator("#secret-1").waitFor();
  await page.goto(one);
  await visit.looked("webhook with two secrets");
  await act("End at once");
  await page.waitForURL(/done=secret-ended/);

  // What is not taken waits, says why, and is sent again.
  own.status = 503;
  await page.goto("/console/s/1/customers/new");
  await visit.field("company_name", `Told ${name}`);
  await act("Create");
  await page.waitForURL(/\/customers\/\d+\?done/);
  await visit.field("content", "To be told.");
  await act("Add");
  await page.waitForURL(/done=commented/);
  const list = `/console/s/1/deliveries?endpoint=${one.split("/").pop()}`;
  for (let tries = 0; tries < 50; tries += 1) {
    await page.goto(list);
    if (await page.getByText("HTTP 503").count()) break;
    await page.waitForTimeout(100);
  }
  await visit.looked("deliveries");
  await page.locator(".inbox a").first().click();
  await page.getByText("Attempt 1", { exact: true }).waitFor();
  await visit.looked("delivery");
  own.status = 200;
  await act("Send again now");
  await page.waitForURL(/done=redelivered/);
  const delivery = page.url().split("?")[0];
  for (let tries = 0; tries < 50; tries += 1) {
    await page.goto(delivery);
    if (await page.locator(".attempts").getByText("HTTP 200").count()) break;
    await page.waitForTimeout(100);
  }
  check(own.got.length >= 3, `${name}: it was sent again`);
  await visit.looked("delivery arrived");
  await page.goto("/console/s/1/deliveries?state=held");
  await visit.looked("deliveries none");

  await page.goto(one);
  await visit.field("since", "2026-01-01");
  await act("Tell once more");
  await page.waitForURL(/done=replay-begun/);
  await visit.looked("webhook replayed");
  await act("Pause");
  await page.waitForURL(/done=webhook-paused/);
  await visit.looked("webhook paused");
  await act("Resume");
  await page.waitForURL(/done=webhook-resumed/);
  await page.goto("/console/s/1/webhooks");
  await visit.looked("webhooks some");
  await page.goto("/console/s/1/webhooks/keys");
  await visit.looked("signing keys none");
  await act("New signing key");
  await page.waitForURL(/done=signer-made/);
  await visit.looked("signing keys");
  await page.goto(`${one}/delete`);
  await visit.looked("webhook delete");
  await visit.field("word", new URL(own.url).host);
  await act("Delete for good");
  await page.waitForURL(/done=webhook-deleted/);
  own.close();
}

export async function developers(visit) {
  await keys(visit);
  await webhooks(visit);
}
