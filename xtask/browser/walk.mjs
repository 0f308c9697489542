// What every walk through the web pages needs: a browser, steps that are counted, and what is asked of every page.
//
// SCREENSHOTS   the folder for pictures; a temporary one if not given
// CHROMIUM      the browser; /usr/bin/chromium if not given

import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const pictures = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "valetkey-ui-"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(pictures, { recursive: true });

export const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

const complaints = [];
let passed = 0;
let failed = 0;
// The page that is looked at.
let shown;

// A new person's browser, and its first page; what a page's script or policy complains about fails the step.
export async function somebody() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // A refused form is answered with a status that the browser reports too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  shown = page;
  return { context, page };
}

export function check(ok, what) {
  if (!ok) throw new Error(what);
}

export async function step(name, work) {
  try {
    await work();
    check(complaints.length === 0, `the browser complains: ${complaints.splice(0).join("; ")}`);
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n        ${String(error.message).split("\n").slice(0, 6).join("\n        ")}`);
  }
  await shown.screenshot({ path: join(pictures, `${String(passed + failed).padStart(2, "0")}-${name.replaceAll(/\W+/g, "-")}.png`), fullPage: true });
}

// No violation of the accessibility rules, in either colour scheme, and nothing wider than a phone.
export async function pleasant(page = shown) {
  shown = page;
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    // Not as a script element: the page's own policy would refuse that.
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    const words = violations.map((found) => `${found.id} at ${found.nodes[0].target}`);
    check(words.length === 0, `${colorScheme}: ${words.join("; ")}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 800 });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await page.setViewportSize({ width: 1280, height: 900 });
  check(over <= 0, `${over} px wider than a phone`);
}

// Says how it went; the process ends accordingly.
export async function done() {
  await browser.close();
  console.log(`${passed} passed, ${failed} failed (pictures in ${pictures})`);
  process.exitCode = failed ? 1 : 0;
}
