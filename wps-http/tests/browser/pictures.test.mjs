// Takes screenshots of the page, for people to look at, in the directory PICTURES. Also tests what
// a program can check: nothing is cut off or too small to touch, and text has enough contrast.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { click, waitForText, withPage } from "./browser.mjs";

const SCREENS = {
  "phone": { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "desktop": { viewport: { width: 1100, height: 800 } },
};

/** Returns what does not fit, is hard to hit, or hard to read (WCAG 2.2: 1.4.3, 1.4.10, 2.5.8). */
function findFlaws() {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen");
  const luminance = (color) => {
    const [red, green, blue] = color.match(/[\d.]+/g).map((it) => {
      const part = Number(it) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backgroundOf = (it) => {
    const color = getComputedStyle(it).backgroundColor;
    return color.startsWith("rgba(0, 0, 0, 0") ? backgroundOf(it.parentElement) : color;
  };
  for (const it of document.querySelectorAll("body *")) {
    if (!it.checkVisibility() || it.closest(":disabled, svg")) continue;
    const label = it.tagName + "#" + it.id + " " + it.textContent.trim().slice(0, 30);
    const { width, height } = (it.labels?.[0] && it.type !== "text" ? it.closest("label") || it : it).getBoundingClientRect();
    if (it.matches("button, input, summary") && (width < 24 || height < 24)) found.push(`${label}: small, ${width}×${height}`);
    const hasText = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText) continue;
    const [text, background] = [luminance(getComputedStyle(it).color), luminance(backgroundOf(it))];
    const contrast = (Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05);
    if (contrast < 4.5) found.push(`${label}: contrast ${contrast.toFixed(1)}`);
  }
  return found;
}

for (const [screen, size] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`pictures: ${screen}, ${colorScheme}`, () =>
      withPage(
        async ({ page }) => {
          mkdirSync(process.env.PICTURES, { recursive: true });
          let number = 0;
          const picture = async (name) => {
            assert.deepEqual(await page.evaluate(findFlaws), [], name);
            const path = join(process.env.PICTURES, `${screen}-${colorScheme}-${++number}-${name}.png`);
            await page.screenshot({ path, fullPage: true });
          };
          await waitForText(page, "network", "Wi-Fi is off");
          await waitForText(page, "sim-state", "Home");
          await picture("start");
          await page.locator("summary").click();
          await page.getByRole("radio", { name: /Home/ }).check();
          await page.locator("#password").fill("wrong horse");
          await picture("by-hand");
          await click(page, "Connect");
          await waitForText(page, "advice", "Trying again");
          await click(page, "Let a minute pass");
          await waitForText(page, "message", "Not connected");
          await picture("failed");
          await page.locator("summary").click();
          await click(page, "Connect by WPS");
          await waitForText(page, "message", "Router found");
          await picture("found");
          await click(page, "Press its WPS button");
          await waitForText(page, "network", "Connected to “Home”");
          await picture("paired");
          await click(page, "Change its password");
          await waitForText(page, "message", "no longer accepts its saved key");
          await picture("key-refused");
          await click(page, "Connect by WPS");
          await waitForText(page, "message", "Router found");
          await click(page, "A second router presses too");
          await waitForText(page, "choice", "Neighbour");
          await picture("choice");
          await click(page, "Remove the kept network");
          await waitForText(page, "message", "removed by another program");
          await waitForText(page, "sim-kept", "The platform keeps no network.");
          await picture("network-removed");
        },
        { context: { ...size, colorScheme }, daemon: { flags: ["--platform-keeps-networks"] } },
      ));
  }
}
