// The page, as people use it: each test has a device, a router and a browser of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { press, says, visiting } from "./browser.mjs";
import { Namespace, until } from "./daemon.mjs";

const IDLE = "Connect this device to your Wi-Fi";
const FOUND = "Router found: now press its WPS button";
const START = "Connect by WPS";

const left = async (page) => {
  const [minutes, seconds] = (await page.locator("#left").textContent()).split(":").map(Number);
  return minutes * 60 + seconds;
};

test("start, press, paired", () =>
  visiting(async ({ page }) => {
    await says(page, "message", IDLE);
    await says(page, "network", "Wi-Fi is off");
    await press(page, START);
    await says(page, "message", FOUND);
    assert.ok((await left(page)) >= 115);
    await press(page, "Press its WPS button");
    await says(page, "message", "Connected to “Home”");
    await says(page, "advice", "WPS is best switched off on the router now");
    await says(page, "network", "Connected to “Home”");
    assert.equal(await page.locator("#dial").isVisible(), false);
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "good");
  }));

test("what is in sight is shown as it changes", () =>
  visiting(async ({ page, daemon }) => {
    await press(page, START);
    await says(page, "message", FOUND);
    await daemon.play("power");
    await says(page, "message", "No router with WPS in range");
    await says(page, "advice", "set Wi-Fi up by hand");
    await daemon.play("power");
    await says(page, "message", FOUND);
    await press(page, "Switch its WPS off");
    await says(page, "message", "No router with WPS in range");
    await says(page, "sim-state", "“Home” (password: correct horse) is switched on, without WPS.");
  }));

test("two routers are an overlap", () =>
  visiting(async ({ page }) => {
    await press(page, START);
    await says(page, "message", FOUND);
    await press(page, "A second router presses too");
    await says(page, "message", "Not connected: more than one router is pairing");
    await says(page, "advice", "Wait two minutes");
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "bad");
  }));

test("nobody presses: the window closes", () =>
  visiting(async ({ page }) => {
    await press(page, START);
    await says(page, "message", FOUND);
    await press(page, "Let a minute pass");
    await until(async () => (await left(page)) <= 60, () => "the countdown does not follow");
    await press(page, "Let a minute pass");
    await says(page, "message", "Not connected: no router's WPS button was pressed within two minutes");
    await says(page, "advice", "Start again and press the router's WPS button within two minutes");
  }));

test("cancel, by the keyboard", () =>
  visiting(async ({ page }) => {
    await says(page, "message", IDLE);
    await page.getByRole("button", { name: START }).focus();
    await page.keyboard.press("Enter");
    await says(page, "message", FOUND);
    await page.keyboard.press("Enter"); // the focus is on Cancel, where Start was
    await says(page, "message", "Cancelled");
    await says(page, "advice", "Start again whenever you like");
  }));

test("a wrong key from the router is told while the window is open", () =>
  visiting(async ({ page }) => {
    await press(page, "Let it hand over a wrong key");
    await press(page, START);
    await says(page, "message", FOUND);
    await press(page, "Press its WPS button");
    await says(page, "advice", "The last try failed: the network did not accept its key");
    await press(page, "Cancel");
    await says(page, "message", "Cancelled");
  }));

test("by hand: a wrong password is rolled back, the right one is not", () =>
  visiting(async ({ page, daemon }) => {
    await page.locator("summary").click();
    await page.getByRole("radio", { name: /Home/ }).check();
    assert.equal(await page.getByLabel("Network name").inputValue(), "Home");
    await page.locator("#password").fill("wrong horse");
    await press(page, "Connect");
    await says(page, "message", "Connecting to “Home”…");
    await says(page, "advice", "The last try failed: the network did not accept its key. Trying again.");
    assert.ok((await left(page)) <= 30);
    await press(page, "Let a minute pass");
    await says(page, "message", "Not connected: the network did not accept its key");
    await says(page, "advice", "The previous settings are in force again.");
    await says(page, "advice", "The network does not accept this password.");
    await says(page, "network", "Wi-Fi is off");
    assert.equal((await daemon.ask("/api/v1/wifi/sta/settings")).enable, false);

    await page.locator("#password").fill("correct horse");
    await press(page, "Show the password");
    assert.equal(await page.locator("#password").getAttribute("type"), "text");
    await page.locator("#password").press("Enter");
    await says(page, "message", "Connected to “Home”");
    await says(page, "network", "Connected to “Home”");
    assert.equal(await page.locator("#hand").getAttribute("open"), null);
    assert.equal(await page.locator("#password").inputValue(), "", "it is not kept in the page");
    assert.equal(await page.locator("#password").getAttribute("type"), "password");
    assert.ok(!daemon.log.includes("horse"), "nor in the log");
  }));

test("by hand: what cannot be is told next to the form, and nothing is sent without a password", () =>
  visiting(async ({ page, daemon }) => {
    await page.locator("summary").click();
    await page.getByLabel("Network name").fill("Attic");
    await press(page, "Connect");
    assert.equal(await page.locator("#password").evaluate((it) => it.validity.valueMissing), true);
    await page.locator("#password").fill("short");
    await press(page, "Connect");
    await says(page, "mistake", "Give a password of 8 to 63 characters");
    assert.equal((await daemon.status()).last, undefined, "nothing was tried");
    await page.getByLabel("This network has no password").check();
    assert.equal(await page.locator("#password").isDisabled(), true);
    await press(page, "Connect");
    await says(page, "advice", "The last try failed: the network is not in range. Trying again.");
    await press(page, "Cancel");
    await says(page, "message", "Cancelled");
    assert.equal(await page.getByLabel("Network name").inputValue(), "Attic", "it can be corrected");
  }));

test("the password of the API is asked for, and everything works with it", () =>
  visiting(
    async ({ page, daemon }) => {
      assert.equal((await fetch(daemon.url)).status, 401);
      await press(page, START);
      await says(page, "message", FOUND);
      await press(page, "Press its WPS button");
      await says(page, "message", "Connected to “Home”");
    },
    {
      daemon: { env: { WPSD_PASSWORD: "open, sesame" } },
      context: { httpCredentials: { username: "", password: "open, sesame" } },
    },
  ));

test("the event stream suffices", () =>
  visiting(async ({ page }) => {
    await says(page, "message", IDLE);
    await page.route("**/api/v1/wifi/wps", (route) => (route.request().method() === "GET" ? route.abort() : route.continue()));
    await press(page, START);
    await says(page, "message", FOUND);
    await press(page, "Press its WPS button");
    await says(page, "message", "Connected to “Home”");
  }));

test("so do questions", () =>
  visiting(async ({ page, daemon }) => {
    await page.route("**/events", (route) => route.abort());
    await page.goto(daemon.url);
    await press(page, START);
    await says(page, "message", FOUND);
    await daemon.play("press");
    await says(page, "message", "Connected to “Home”");
  }));

test("a lost device is counted on for, and its result is shown when it is back", async () => {
  const namespace = await Namespace.make();
  try {
    const device = { ip: namespace.device, within: namespace.name };
    await visiting(async ({ page, daemon }) => {
      await press(page, START);
      await says(page, "message", FOUND);
      namespace.cut();
      await says(page, "trouble", "The device cannot be reached just now");
      await says(page, "elsewhere", /try http:\/\/\S+:\d+\//);
      const before = await left(page);
      await until(async () => (await left(page)) < before, () => "it does not count on");
      daemon.type("p"); // somebody presses the router's button
      await daemon.logs(/Idle, last: Some/);
      assert.equal(await page.locator("#message").textContent(), FOUND, "nothing can have arrived");
      namespace.mend();
      await says(page, "message", "Connected to “Home”");
      assert.equal(await page.locator("#trouble").textContent(), "");
      assert.equal(await page.locator("#elsewhere").isVisible(), false);
    }, { daemon: device });
  } finally {
    namespace.remove();
  }
});

test("a device that has changed networks is found by its name", async () => {
  const namespace = await Namespace.make();
  try {
    const device = { ip: namespace.device, listen: "0.0.0.0", within: namespace.name };
    const flags = ["--host-resolver-rules=MAP *.local " + namespace.elsewhere];
    await visiting(async ({ page, daemon }) => {
      await says(page, "network", "Wi-Fi is off");
      await press(page, START);
      await says(page, "message", FOUND);
      namespace.move();
      await page.waitForURL(/^http:\/\/[^.]+\.local:\d+\/$/);
      await says(page, "message", FOUND);
      assert.ok((await left(page)) > 90, "the same window");
      daemon.type("p");
      await says(page, "message", "Connected to “Home”");
    }, { daemon: device, flags });
  } finally {
    namespace.remove();
  }
});

test("a hotspot says beforehand what happens to this page", () =>
  visiting(
    async ({ page }) => {
      await says(page, "network", "Own hotspot “Device”");
      await says(page, "leaving", "If you are on that hotspot, this page loses the device for a while");
      await says(page, "leaving", /by its name, \S+, and shows the result/);
      await press(page, START);
      await says(page, "message", FOUND);
      assert.ok(await page.locator("#leaving").isVisible());
    },
    { daemon: { flags: ["--blank", "access-point", "--access-point-name", "Device", "--access-point-open"] } },
  ));

test("that the device is off-line is said while it is", () =>
  visiting(async ({ page }) => {
    // The simulated radio leaves for a moment only: the page is told so by the test.
    const status = { state: "searching", seen: "exchanging", ssid: "Home", off_air: true, mode: "STA", remaining_s: 60 };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await says(page, "message", "Getting the network from “Home”");
    await says(page, "air", "The device is off-line while it talks to the router.");
    status.off_air = undefined;
    await page.waitForFunction(() => document.getElementById("air").textContent === "");
  }));

test("a name from the air is only ever text", () =>
  visiting(async ({ page }) => {
    const evil = "<img src=x onerror=alert(1)>";
    const found = [
      { ssid: evil, bssid: "020000000001", signal: 90, auth_mode: "WPA2", wps: "true", wps_active: false },
      { ssid: evil, bssid: "020000000002", signal: 30, auth_mode: "WPA2", wps: "true", wps_active: false },
      { ssid: "caf\ufffd", ssid_hex: "636166E9", bssid: "020000000003", signal: 10, auth_mode: "open", wps: "false", wps_active: false },
    ];
    const sent = [];
    await page.route("**/api/v1/wifi/scan", (route) => route.fulfill({ json: found }));
    await page.route("**/api/v1/wifi/sta/settings", (route) => {
      sent.push(route.request().postDataJSON());
      return route.fulfill({ status: 204 });
    });
    await page.locator("summary").click();
    const choices = page.locator(".network");
    await choices.nth(1).waitFor();
    assert.equal(await choices.count(), 2, "one row for each name");
    assert.match(await choices.first().textContent(), /^<img src=x onerror=alert\(1\)>WPA2, strong$/);
    assert.match(await choices.nth(1).textContent(), /open, weak$/);
    await choices.nth(1).click();
    await press(page, "Connect");
    await until(() => sent.length > 0, () => "nothing was sent");
    assert.deepEqual(sent, [{ enable: true, name_hex: "636166E9", password: "" }], "its bytes, not what is shown");
  }));
