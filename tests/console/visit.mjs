// One visit of the console in a browser, and what is true of every page.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const [base, option, folder] = process.argv.slice(2);
const pictures = option === "--pictures" ? folder : null;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export let passed = 0;
export let failed = 0;
export const check = (is, what) => {
  if (is) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED: ${what}`);
  }
};

export const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS });

export class Visit {
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
