// Debian's Chromium, each time with a profile that is new.
import { chromium } from "playwright-core";
import { Daemon } from "./daemon.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Runs `visit` with a browser. */
export async function browsing(visit, flags = []) {
  const executablePath = process.env.CHROMIUM || "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
  try {
    await visit(browser);
  } finally {
    await browser.close();
  }
}

/** Runs `visit` with the page of a device of its own, open in a browser of its own. */
export async function visiting(visit, { daemon: options, context: settings, flags } = {}) {
  const daemon = await Daemon.start(options);
  try {
    await browsing(async (browser) => {
      const context = await browser.newContext({ reducedMotion: "reduce", ...settings });
      context.setDefaultTimeout(15000);
      const page = await context.newPage();
      const errors = [];
      page.on("pageerror", (error) => errors.push(error));
      // Also what the Content-Security-Policy blocks.
      page.on("console", (it) => /Content Security Policy/.test(it.text()) && errors.push(it.text()));
      await page.goto(daemon.url);
      await visit({ page, daemon, context });
      if (errors.length) throw new Error("in the page: " + errors.join("; "));
    }, flags);
  } finally {
    await daemon.stop();
  }
}

/** Waits until the element with this id is to be seen, and says so. */
export function says(page, id, text) {
  return page.locator("#" + id, { hasText: text }).waitFor();
}

export function press(page, name) {
  return page.getByRole("button", { name, exact: true }).click();
}
