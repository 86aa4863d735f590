// Customers: a new one, changed, in two tabs, commented, looked back at, found, deleted and restored.
import { check } from "./visit.mjs";

export async function customers(visit) {
  const { page, name } = visit;
  const at = name.replaceAll(" ", "-");
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
  await page.getByRole("link", { name: "Compare with now, put back" }).click();
  await visit.looked("compared");
  await page.getByRole("button", { name: "Put back to version 1" }).click();
  await page.waitForURL(/done=reverted/);
  check(!(await page.locator("#title").innerText()).includes("Prof"), `${name}: put back`);
  await page.goto(`${record}/timeline`);
  await visit.looked("timeline");
  await page.goto(`${record}/seen`);
  await visit.looked("seen");
  const answers = await page.locator(".seen .req .good").allInnerTexts();
  check(answers.length === 6, `${name}: every API shows it: ${answers}`);
  await page.getByLabel("Differences only").check();
  check(!(await page.locator(".seen .l.same").first().isVisible()), `${name}: differences only`);
  await visit.looked("seen differences");

  await page.goto("/console/s/1/customers");
  await page.locator("#q").fill(at);
  if (visit.options.javaScriptEnabled === false) {
    await page.getByRole("button", { name: "Search", exact: true }).click();
  }
  await page.waitForURL(/ask=/);
  check(!page.url().includes("hofer") && !page.url().includes(at), `${name}: nobody stands in the address`);
  await page.getByRole("link", { name: `Lena Hofer ${at}` }).waitFor();
  await visit.looked("found");
  if (visit.options.javaScriptEnabled !== false) {
    await page.goto(`${record}/timeline`);
    await page.keyboard.press("Control+k");
    await visit.looked("palette");
    await page.keyboard.type("Compare");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(/diff/);
    await page.keyboard.press("Control+k");
    await page.keyboard.type(at);
    await page.keyboard.press("Enter");
    await page.waitForURL(/ask=/);
    await page.getByRole("link", { name: `Lena Hofer ${at}` }).waitFor();
  }
  await page.goto(record);
  await page.getByRole("button", { name: "Delete", exact: true }).first().click();
  await page.waitForURL(/done=deleted/);
  await visit.looked("deleted");
  await page.getByRole("button", { name: "Restore" }).click();
  await page.waitForURL(/done=restored/);
}
