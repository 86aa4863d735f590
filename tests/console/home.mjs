// One's own page, what one sees first in a space, and how the deployment fares.
import { check } from "./visit.mjs";

export async function me(visit) {
  const { page, name, options } = visit;
  await page.goto("/console/s/1");
  const menu = page.getByRole("button", { name: "Menu" });
  if (await menu.isVisible()) await menu.click();
  await page.locator("nav .me a.who").click();
  await page.waitForURL(/\/console\/me$/);
  await visit.looked("me");
  await visit.field("time_zone", "Mars/Olympus");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").waitFor();
  check(await page.locator("#time_zone-why").isVisible(), `${name}: the fault stands at its field`);
  await visit.looked("me refused");
  const other = options.colorScheme === "dark" ? "light" : "dark";
  await visit.field("time_zone", "Asia/Tokyo");
  await page.getByLabel("Colours").selectOption(other);
  await page.getByLabel("Language").selectOption("fr-CH");
  await page.getByLabel("Single-letter keys").selectOption("false");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/done=saved/);
  const html = page.locator("html");
  check((await html.getAttribute("lang")) === "fr", `${name}: the language acts at once`);
  check((await html.getAttribute("data-theme")) === other, `${name}: so do the colours`);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  check((ground === "rgb(11, 15, 21)") === (other === "dark"), `${name}: ${other} is ${ground}`);
  await visit.looked("me in French");
  await page.goto("/console/s/1/customers");
  check((await html.getAttribute("lang")) === "fr", `${name}: everywhere`);
  if (options.javaScriptEnabled !== false) {
    await page.keyboard.press("c");
    check(/customers$/.test(page.url()), `${name}: a single letter does nothing`);
  }
  await page.goto("/console/me");
  await page.locator("#language").selectOption("de-DE");
  await page.locator("form[data-dirty] button").click();
  await page.waitForURL(/done=saved/);
  await visit.looked("me in German");
  await page.locator("#language").selectOption("");
  await page.locator("#theme").selectOption("system");
  await page.locator("#shortcuts").selectOption("true");
  await page.locator("#time_zone").fill("");
  await page.locator("form[data-dirty] button").click();
  await page.waitForURL(/done=saved/);
  check((await html.getAttribute("lang")) === "en", `${name}: as the browser asks again`);

  await page.goto("/console/me/password");
  await visit.looked("me password");
  await visit.field("password", "short");
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("me password refused");
  await page.goto("/console/me/codes");
  await visit.looked("me codes");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByLabel("Secret for the app").waitFor();
  await visit.field("code", "12");
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("me codes refused");
  await page.goto("/console/me/codes/remove");
  await visit.looked("me codes remove");
  await page.goto("/console/me");
  const others = page.getByRole("button", { name: "End all others" });
  if (await others.isVisible()) {
    await others.click();
    await page.waitForURL(/done=sessions-ended/);
  }
}

// Something to be counted: the keys of a sandbox are public.
async function traffic(visit) {
  const headers = { Authorization: "Bearer patron_sandbox_0123456789abcdef0123456789abcdef", "Content-Type": "application/json" };
  const call = (method, path, data) => visit.context.request.fetch(path, { method, headers, data });
  const made = await (await call("POST", "/v1/customers", { given_name: "Counted" })).json();
  await call("PATCH", `/v1/customers/${made.number}`, { family_name: "Twice" });
  await call("PATCH", `/v1/customers/${made.number}`, { email: "none" });
  const told = await (await call("GET", "/v1/statistics?step=minute")).json();
  check(told.totals.customers_created > 0 && told.totals.refused > 0, `${visit.name}: it is counted`);
  await call("DELETE", `/v1/customers/${made.number}`);
}

export async function overview(visit) {
  const { page, name } = visit;
  await traffic(visit);
  await page.goto("/console/s/1");
  const drawn = await page.locator("svg .bars").count();
  check(drawn >= 4, `${name}: what was counted is drawn: ${drawn}`);
  const says = await page.getByRole("img", { name: /^Customers\. made: [1-9]/ }).count();
  check(says === 1, `${name}: and said`);
  await page.locator("details").first().evaluate((one) => (one.open = true));
  check((await page.locator("details table tbody tr").first().innerText()).length > 3, `${name}: and in a table`);
  await visit.looked("overview counted");
  for (const period of ["Hour", "Week", "Month"]) {
    await page.getByRole("link", { name: period, exact: true }).click();
    await page.waitForURL(new RegExp(`period=${period.toLowerCase()}`));
    await visit.looked(`overview ${period.toLowerCase()}`);
  }
}

export async function home(visit) {
  await overview(visit);
  await me(visit);
}
