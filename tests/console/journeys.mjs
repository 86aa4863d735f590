// Journeys through the console of a sandbox, in a real browser: with script and without, on a phone and a
// wide screen, light and dark. On every page: axe finds nothing, nothing is wider than the window, the
// browser has nothing to say, and the page is light.
// Usage: node journeys.mjs BASE_URL [--pictures FOLDER]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, option, folder] = process.argv.slice(2);
const pictures = option === "--pictures" ? folder : null;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE_BYTES_MAX = 150_000;
const REQUESTS_MAX = 4;
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

let passed = 0;
let failed = 0;
const check = (is, what) => {
  if (is) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED: ${what}`);
  }
};

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS });

class Visit {
  constructor(name, options) {
    Object.assign(this, { name, options, weight: 0, requests: 0 });
  }

  async begin() {
    this.context = await browser.newContext({ ...this.options, baseURL: base, locale: this.options.locale ?? "en-GB" });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(10_000);
    // A refused form answers 4xx, which the browser notes by itself.
    this.page.on("console", (message) => {
      const isStatus = message.text().startsWith("Failed to load resource: the server responded");
      check(isStatus, `${this.name}: the browser says: ${message.text()}`);
    });
    this.page.on("pageerror", (error) => check(false, `${this.name}: ${error}`));
    return this;
  }

  // What is true of every page.
  async looked(what) {
    const { page, name } = this;
    const is = (fact, more) => check(fact, `${name}: ${what}: ${more}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    is(wide <= 0, `${wide} pixels wider than the window`);
    is((await page.title()).endsWith("Patron"), "its title");
    if (this.options.javaScriptEnabled !== false) {
      await page.evaluate(axe);
      const found = await page.evaluate((tags) => axe.run(document, { runOnly: tags }), TAGS);
      for (const one of found.violations) {
        is(false, `${one.id}: ${one.nodes.slice(0, 2).map((node) => node.html).join(" ")}`);
      }
      is(found.violations.length === 0, "axe");
    }
    if (pictures) {
      await page.screenshot({ path: `${pictures}/${what}-${this.name}.png`.replaceAll(" ", "-"), fullPage: true });
    }
  }

  async field(name, value) {
    await this.page.locator(`[name="${name}"]`).first().fill(value);
  }

  async end() {
    await this.context.close();
  }
}

async function weigh() {
  const visit = await new Visit("weight", { viewport: { width: 1400, height: 900 } }).begin();
  const { page } = visit;
  await page.goto("/console/sign-in");
  await page.getByRole("button", { name: "Open the sandbox" }).click();
  await page.waitForURL(/\/s\/1$/);
  for (const path of ["/console/s/1", "/console/s/1/customers", "/console/s/1/customers/new"]) {
    const fresh = await visit.context.newPage();
    // Each is weighed as for somebody who comes for the first time.
    const client = await visit.context.newCDPSession(fresh);
    await client.send("Network.setCacheDisabled", { cacheDisabled: true });
    // What is asked for twice (icons, which are the picture of the tab too) a browser that keeps files has.
    const sizes = new Map();
    fresh.on("response", (answer) => sizes.set(answer.url(), answer.body().then((body) => body.length)));
    await fresh.goto(path, { waitUntil: "networkidle" });
    const all = await Promise.all(sizes.values());
    const bytes = all.reduce((sum, size) => sum + size, 0);
    check(bytes <= PAGE_BYTES_MAX, `${path} weighs ${bytes} bytes`);
    check(all.length <= REQUESTS_MAX, `${path} asks ${all.length} times`);
    await fresh.close();
  }
  await visit.end();
}

async function journey(visit) {
  const { page, name } = visit;
  const at = name.replaceAll(" ", "-");
  await page.goto("/");
  await visit.looked("sign-in");
  await visit.field("email", "nobody@example.com");
  await visit.field("password", "not the password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("sign-in refused");
  await page.getByRole("button", { name: "Open the sandbox" }).click();
  await page.waitForURL(/\/s\/1$/);
  check((await page.locator(".strip").innerText()).includes("Sandbox"), `${name}: the strip`);
  await visit.looked("overview");

  await page.goto("/console/s/1/customers");
  await visit.looked("customers");
  await page.getByRole("link", { name: "New customer" }).first().click();
  await visit.looked("new customer");
  await visit.field("given_name", "Lena");
  await visit.field("family_name", `Hofer ${at}`);
  await visit.field("email", "not an address");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("alert").waitFor();
  check(await page.locator("#email-why").isVisible(), `${name}: the fault stands at its field`);
  check((await page.locator("#given_name").inputValue()) === "Lena", `${name}: what was typed stays`);
  await visit.looked("new customer refused");
  await visit.field("email", `${at}@example.com`);
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.waitForURL(/\/customers\/\d+\?done/);
  await visit.looked("customer");
  const record = page.url().split("?")[0];

  await page.getByRole("link", { name: "Change: Company", exact: true }).click();
  await visit.looked("customer edit");
  await visit.field("company_name", "Hofer Optik AG");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/done=saved/);
  check((await page.locator("#company_name").innerText()).includes("Hofer Optik AG"), `${name}: saved`);

  // Two tabs change the same field.
  const other = await visit.context.newPage();
  await other.goto(`${record}?edit=title`);
  await page.goto(`${record}?edit=title`);
  await page.locator("#title").fill("Dr");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/done=saved/);
  await other.locator("#title").fill("Prof");
  await other.getByRole("button", { name: "Save", exact: true }).click();
  await other.getByRole("alert").waitFor();
  check((await other.getByRole("alert").innerText()).includes("Prof"), `${name}: both sides`);
  await other.getByLabel("Yours:").check();
  await other.getByRole("alert").getByRole("button", { name: "Save" }).click();
  await other.waitForURL(/done=saved/);
  check((await other.locator("#title").innerText()).includes("Prof"), `${name}: one side chosen`);
  await other.close();

  await page.goto(record);
  await visit.field("content", "Ask for the workshop entrance.");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.waitForURL(/done=commented/);
  await page.getByRole("button", { name: "Pin", exact: true }).click();
  await page.waitForURL(/done=pinned/);
  await page.getByRole("link", { name: "New address" }).click();
  await visit.looked("address");
  await visit.field("line1", "Bahnhofstrasse 71");
  await visit.field("city", "Zürich");
  await visit.field("country", "CH");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/done=address-saved/);
  await visit.looked("customer whole");
  await page.goto(`${record}?version=1`);
  await visit.looked("customer before");
  await page.goto(`${record}/timeline`);
  await visit.looked("timeline");

  await page.goto("/console/s/1/customers");
  await page.locator("#q").fill(at);
  if (visit.options.javaScriptEnabled === false) {
    await page.getByRole("button", { name: "Search", exact: true }).click();
  }
  await page.waitForURL(/ask=/);
  check(!page.url().includes("hofer") && !page.url().includes(at), `${name}: nobody stands in the address`);
  await page.getByRole("link", { name: `Lena Hofer ${at}` }).waitFor();
  await visit.looked("found");
  await page.goto(record);
  await page.getByRole("button", { name: "Delete", exact: true }).first().click();
  await page.waitForURL(/done=deleted/);
  await visit.looked("deleted");
  await page.getByRole("button", { name: "Restore" }).click();
  await page.waitForURL(/done=restored/);
  await page.goto("/console/spaces");
  await visit.looked("spaces");
  await page.goto("/console/no/such/page");
  await visit.looked("missing");
  for (const path of ["/console/forgot", "/console/invite", "/console/reset#token", "/console/email"]) {
    await page.goto(path);
    await visit.looked(path.split("/").pop().split("#")[0]);
  }
  await page.goto("/console/s/1/customers");
  // On a phone the menu opens without script, too.
  const menu = page.getByRole("button", { name: "Menu" });
  if (await menu.isVisible()) {
    await menu.click();
    await visit.looked("menu");
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/done=signed-out/);
}

const runs = [];
for (const javaScriptEnabled of [true, false]) {
  for (const width of [400, 1400]) {
    for (const colorScheme of ["light", "dark"]) {
      const name = `${javaScriptEnabled ? "script" : "plain"} ${width} ${colorScheme}`;
      runs.push([name, { javaScriptEnabled, colorScheme, viewport: { width, height: 900 } }]);
    }
  }
}
await weigh().catch((error) => check(false, `weight: ${error}`));
for (const [name, options] of runs) {
  const visit = await new Visit(name, options).begin();
  await journey(visit).catch((error) => check(false, `${name}: ${error.message.slice(0, 600)}`));
  await visit.end();
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
