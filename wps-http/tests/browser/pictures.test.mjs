// How the page looks, for people to look at: pictures in the directory PICTURES. What a program can see of
// it is tested: nothing is cut off or too small to touch, and text stands out from its background.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { press, says, visiting } from "./browser.mjs";

const SCREENS = {
  "phone": { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "desktop": { viewport: { width: 1100, height: 800 } },
};

/** What does not fit, is hard to hit, or hard to read (WCAG 2.2: 1.4.3, 1.4.10, 2.5.8). */
function flaws() {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the screen");
  const level = (color) => {
    const [red, green, blue] = color.match(/[\d.]+/g).map((it) => {
      const part = Number(it) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (it) => {
    const color = getComputedStyle(it).backgroundColor;
    return color.startsWith("rgba(0, 0, 0, 0") ? behind(it.parentElement) : color;
  };
  for (const it of document.querySelectorAll("body *")) {
    if (!it.checkVisibility() || it.closest(":disabled, svg")) continue;
    const what = it.tagName + "#" + it.id + " " + it.textContent.trim().slice(0, 30);
    const { width, height } = (it.labels?.[0] && it.type !== "text" ? it.closest("label") || it : it).getBoundingClientRect();
    if (it.matches("button, input, summary") && (width < 24 || height < 24)) found.push(`${what}: small, ${width}×${height}`);
    const speaks = [...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!speaks) continue;
    const [text, ground] = [level(getComputedStyle(it).color), level(behind(it))];
    const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    if (contrast < 4.5) found.push(`${what}: contrast ${contrast.toFixed(1)}`);
  }
  return found;
}

for (const [screen, size] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"]) {
    test(`pictures: ${screen}, ${colorScheme}`, () =>
      visiting(
        async ({ page }) => {
          mkdirSync(process.env.PICTURES, { recursive: true });
          let number = 0;
          const picture = async (name) => {
            assert.deepEqual(await page.evaluate(flaws), [], name);
            const path = join(process.env.PICTURES, `${screen}-${colorScheme}-${++number}-${name}.png`);
            await page.screenshot({ path, fullPage: true });
          };
          await says(page, "network", "Wi-Fi is off");
          await says(page, "sim-state", "Home");
          await picture("start");
          await page.locator("summary").click();
          await page.getByRole("radio", { name: /Home/ }).check();
          await page.locator("#password").fill("wrong horse");
          await picture("by-hand");
          await press(page, "Connect");
          await says(page, "advice", "Trying again");
          await press(page, "Let a minute pass");
          await says(page, "message", "Not connected");
          await picture("failed");
          await page.locator("summary").click();
          await press(page, "Connect by WPS");
          await says(page, "message", "Router found");
          await picture("found");
          await press(page, "Press its WPS button");
          await says(page, "network", "Connected to “Home”");
          await picture("paired");
        },
        { context: { ...size, colorScheme } },
      ));
  }
}
