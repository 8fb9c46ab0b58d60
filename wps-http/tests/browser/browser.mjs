// Starts Debian's Chromium, each time with a new profile.
import { chromium } from "playwright-core";
import { Daemon } from "./daemon.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Runs `test` with a browser. */
export async function withBrowser(test, flags = []) {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
  try {
    await test(browser);
  } finally {
    await browser.close();
  }
}

/** Runs `test` with the page of a new device, open in a new browser. */
export async function withPage(test, { daemon: options, context: settings, flags } = {}) {
  const daemon = await Daemon.start(options);
  try {
    await withBrowser(async (browser) => {
      const context = await browser.newContext({ reducedMotion: "reduce", ...settings });
      context.setDefaultTimeout(15000);
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(error));
      // Violations of the Content-Security-Policy are errors, too.
      page.on("console", (it) => /Content Security Policy/.test(it.text()) && errors.push(it.text()));
      await page.goto(daemon.url);
      await test({ page, daemon, context });
      if (errors.length) throw new Error("in the page: " + errors.join("; "));
    }, flags);
  } finally {
    await daemon.stop();
  }
}

/** Waits until the element with this id is visible and contains the text. */
export function waitForText(page, id, text) {
  return page.locator("#" + id, { hasText: text }).waitFor();
}

export function click(page, name) {
  return page.getByRole("button", { name, exact: true }).click();
}
