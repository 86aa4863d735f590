// Operations: people and what they may do, roles, the audit log, one's own page.
import { check } from "./visit.mjs";

export async function people(visit) {
  const { page, name } = visit;
  const at = name.replaceAll(" ", "-");
  await page.goto("/console/s/1/people");
  await visit.looked("people");
  await page.getByRole("link", { name: "Invite somebody" }).click();
  await visit.looked("invite");
  await visit.field("email", "not an address");
  await page.getByRole("button", { name: "Send the invitation" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("invite refused");
  check(await page.locator("#email-why").isVisible(), `${name}: the fault stands at its field`);
  await visit.field("given_name", "Jonas");
  await visit.field("family_name", `Frei ${at}`);
  await visit.field("email", `${at}@example.org`);
  await page.getByLabel("Role", { exact: true }).selectOption({ label: "Support" });
  await page.getByLabel("Where it holds").selectOption("space:1");
  await page.getByRole("button", { name: "Send the invitation" }).click();
  await page.waitForURL(/people\/(\d+\?done=invited|new)$/);
  const goOn = page.getByRole("link", { name: "Continue" });
  if (await goOn.isVisible()) {
    await visit.looked("invited");
    await goOn.click();
  }
  await page.getByText("Support", { exact: true }).waitFor();
  await visit.looked("person");
  const person = page.url().split("?")[0];

  await page.getByRole("link", { name: "Change", exact: true }).first().click();
  await visit.looked("person edit");
  // Two tabs change the same field.
  const other = await visit.context.newPage();
  await other.goto(`${person}/edit`);
  await visit.field("phone", "+41 44 500 12 34");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/done=saved/);
  await other.locator("#phone").fill("+41 44 500 99 99");
  await other.getByRole("button", { name: "Save" }).click();
  await other.getByText("Somebody else wrote meanwhile").first().waitFor();
  await other.getByRole("button", { name: "Save" }).click();
  await other.waitForURL(/done=saved/);
  check((await other.locator("main").innerText()).includes("99 99"), `${name}: what was chosen stands`);
  await other.close();

  await page.goto(`${person}/roles`);
  await visit.looked("person roles");
  await page.getByLabel("Role", { exact: true }).selectOption({ label: "Read only" });
  await page.getByRole("button", { name: "Give a role" }).click();
  await page.waitForURL(/done=role-given/);
  await page.getByRole("button", { name: "Withdraw the role Read only" }).click();
  await page.waitForURL(/done=role-withdrawn/);
  check((await page.locator("#main .list").innerText()).includes("Support"), `${name}: the other role stays`);

  await page.goto("/console/s/1/people?show=invited");
  await page.getByRole("link", { name: `Jonas Frei ${at}` }).waitFor();
  await visit.looked("people invited");
  await page.goto(`${person}/delete`);
  await visit.looked("person delete");
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("person delete refused");
  await visit.field("word", "delete");
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.waitForURL(/done=person-deleted/);
  const answer = await page.goto(person);
  check(answer.status() === 404, `${name}: who is deleted is gone`);
}

export async function roles(visit) {
  const { page, name } = visit;
  const at = name.replaceAll(" ", "-");
  await page.goto("/console/s/1/roles");
  await visit.looked("roles");
  await page.getByRole("link", { name: "Support" }).click();
  await page.locator("details").first().evaluate((one) => (one.open = true));
  await visit.looked("role");
  await page.goto("/console/s/1/roles/new");
  await visit.looked("role new");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("alert").waitFor();
  await visit.looked("role refused");
  await visit.field("name", `Front desk ${at}`);
  await page.getByRole("group", { name: "Customers" }).getByLabel("see", { exact: true }).check();
  await page.getByRole("button", { name: "Create" }).click();
  await page.waitForURL(/done=role-made/);
  const role = page.url().split("?")[0];
  const other = await visit.context.newPage();
  await other.goto(`${role}/edit`);
  await page.goto(`${role}/edit`);
  await page.getByRole("group", { name: "Comments" }).getByLabel("see", { exact: true }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/done=saved/);
  check((await page.locator("main").innerText()).includes("Comments"), `${name}: the role may more`);
  await other.getByRole("button", { name: "Save" }).click();
  await other.getByText("Somebody was faster").waitFor();
  await other.close();
  await page.goto(`${role}/delete`);
  await visit.field("word", "delete");
  await page.getByRole("button", { name: "Delete the role" }).click();
  await page.waitForURL(/done=role-deleted/);
}

export async function audit(visit) {
  const { page, name } = visit;
  await page.goto("/console/s/1/audit");
  await visit.looked("audit");
  await page.getByLabel("What", { exact: true }).selectOption("role*");
  await page.getByRole("button", { name: "Search", exact: true }).click();
  await page.waitForURL(/action=role/);
  check((await page.locator("tbody").innerText()).includes("Role deleted"), `${name}: what was just done`);
  await visit.looked("audit found");
  const began = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export" }).click();
  check((await began).suggestedFilename() === "audit.csv", `${name}: the log as a file`);
  await page.getByRole("link", { name: "Role deleted" }).first().click();
  await page.waitForURL(/audit\/\d+/);
  await visit.looked("audit entry");
  await page.goto("/console/s/1/audit?outcome=perhaps");
  await visit.looked("audit refused");
}

export async function operations(visit) {
  await people(visit);
  await roles(visit);
  await audit(visit);
}
