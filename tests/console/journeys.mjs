// Journeys through the console of a sandbox, in a real browser: with script and without, on a phone and a
// wide screen, light and dark. On every page: axe finds nothing, nothing is wider than the window, the
// browser has nothing to say, and the page is light.
// Usage: node journeys.mjs BASE_URL [--pictures FOLDER]
import { customers } from "./customers.mjs";
import { developers } from "./developers.mjs";
import { home } from "./home.mjs";
import { operations } from "./operations.mjs";
import { Visit, browser, check, failed, passed } from "./visit.mjs";

const PAGE_BYTES_MAX = 150_000;
const REQUESTS_MAX = 4;
const PARTS = { customers, developers, operations, home };
// One part alone, while it is worked on.
const only = process.env.JOURNEY;

async function weigh() {
  const visit = await new Visit("weight", { viewport: { width: 1400, height: 900 } }).begin();
  const { page } = visit;
  await page.goto("/console/sign-in");
  await page.getByRole("button", { name: "Open the sandbox" }).click();
  await page.waitForURL(/\/s\/1$/);
  for (const path of ["/console/s/1", "/console/s/1?period=week", "/console/s/1/customers", "/console/s/1/customers/new", "/console/s/1/keys", "/console/s/1/webhooks/new", "/console/me"]) {
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

  const parts = only ? [only] : Object.keys(PARTS);
  for (const part of parts) await PARTS[part](visit);

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
for (const [name, options] of only ? runs.filter((one, at) => at % 3 === 0) : runs) {
  const visit = await new Visit(name, options).begin();
  await journey(visit).catch((error) => check(false, `${name}: ${error.message.slice(0, 600)}`));
  await visit.end();
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
