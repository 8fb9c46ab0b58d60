// Tests of the page as people use it. Each test has its own device, router and browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { click, waitForText, withPage } from "./browser.mjs";
import { Namespace, until } from "./daemon.mjs";

const IDLE = "Connect this device to your Wi-Fi";
const FOUND = "Router found: now press its WPS button";
const START = "Connect by WPS";

const secondsLeft = async (page) => {
  const [minutes, seconds] = (await page.locator("#left").textContent()).split(":").map(Number);
  return minutes * 60 + seconds;
};

test("a pairing by button succeeds", () =>
  withPage(async ({ page }) => {
    await waitForText(page, "message", IDLE);
    await waitForText(page, "network", "Wi-Fi is off");
    await click(page, START);
    await waitForText(page, "message", FOUND);
    assert.ok((await secondsLeft(page)) >= 115);
    await click(page, "Press its WPS button");
    await waitForText(page, "message", "Connected to “Home”");
    await waitForText(page, "advice", "WPS is best switched off on the router now");
    await waitForText(page, "network", "Connected to “Home”");
    assert.equal(await page.locator("#dial").isVisible(), false);
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "good");
  }));

test("the search progress is shown as it changes", () =>
  withPage(async ({ page, daemon }) => {
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await daemon.simulate("power");
    await waitForText(page, "message", "No router in range");
    await waitForText(page, "advice", "set Wi-Fi up by hand");
    await daemon.simulate("power");
    await waitForText(page, "message", FOUND);
    await click(page, "Switch its WPS off");
    await waitForText(page, "message", "No router with WPS in range");
    await waitForText(page, "advice", "Switch WPS on in your router's settings.");
    await waitForText(page, "sim-state", "“Home” (password: correct horse) is switched on, without WPS.");
  }));

test("two pressed routers are reported as an overlap", () =>
  withPage(async ({ page }) => {
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "A second router presses too");
    await waitForText(page, "message", "Not connected: more than one router is pairing");
    await waitForText(page, "advice", "If they belong to one router, waiting does not help");
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "bad");
  }));

test("after an overlap one of the routers can be chosen", () =>
  withPage(async ({ page }) => {
    await click(page, START);
    await waitForText(page, "message", FOUND);
    assert.equal(await page.locator("#choice").isVisible(), false);
    await click(page, "A second router presses too");
    await waitForText(page, "choice", "Choose one that is yours");
    await waitForText(page, "choice", "“Home” (02:00:00:00:00:00), 2.4 GHz, strong");
    await click(page, "“Neighbour” (02:00:00:00:00:01), 2.4 GHz, strong");
    await waitForText(page, "message", "Connected to “Neighbour”");
    assert.equal(await page.locator("#choice").isVisible(), false);
  }));

test("after an overlap no choice is offered if the radio has none, as on an ESP32", () =>
  withPage(async ({ page }) => {
    const last = { task: "pair", result: "failed", cause: "overlap", detail: "without_choice", reason: "more than one", ago_s: 3 };
    const status = { state: "idle", mode: "OFF", last };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", "Not connected: more than one");
    assert.equal(await page.locator("#choice").isVisible(), false);
  }));

test("a router that was never set up is announced before its button is pressed", () =>
  withPage(async ({ page }) => {
    const status = { state: "searching", seen: "not_pressed", unconfigured: { ssid: "New" }, mode: "OFF", remaining_s: 60 };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", FOUND);
    await waitForText(page, "advice", "The router “New” was never set up. If you press its button, it takes a new password");
    status.unconfigured = {};
    await waitForText(page, "advice", "A router in range was never set up.");
    status.unconfigured = undefined;
    await page.waitForFunction(() => document.getElementById("advice").textContent === "");
  }));

test("an open network is announced as such", () =>
  withPage(async ({ page }) => {
    const last = { task: "pair", result: "ok", open: true, advice: "This network has no password.", ago_s: 3 };
    const status = { state: "idle", mode: "STA", ssid: "Café", last };
    const wifi = { wps: false, mode: "STA", status: "OK", ssid: "Café", auth_mode: "open" };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.route("**/api/v1/system", (route) => route.fulfill({ json: { wifi, device: {} } }));
    await page.reload();
    await waitForText(page, "message", "Connected to “Café”, which has no password");
    await waitForText(page, "advice", "This network has no password.");
    await waitForText(page, "network", "Connected to “Café”, no password");
  }));

test("an idle device whose network has a new password says so, and pairs again", () =>
  withPage(async ({ page }) => {
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "Press its WPS button");
    await waitForText(page, "message", "Connected to “Home”");
    await click(page, "Change its password");
    await waitForText(page, "message", "Pair again: the network no longer accepts its saved key");
    await waitForText(page, "advice", "Pair again, or enter the new password.");
    await waitForText(page, "network", "Not connected");
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "bad");
    assert.ok(await page.locator("#steps").isVisible());
    assert.ok(await page.locator("#hand").isVisible());
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "A second router presses too");
    await waitForText(page, "message", "the network no longer accepts its saved key");
    await waitForText(page, "advice", "The last try failed: more than one router is pairing.");
    await click(page, "“Home” (02:00:00:00:00:00), 2.4 GHz, strong");
    await waitForText(page, "message", "Connected to “Home”");
  }));

test("a kept network that another program has removed is reported, and pairs again", () =>
  withPage(
    async ({ page }) => {
      const remove = page.getByRole("button", { name: "Remove the kept network" });
      await waitForText(page, "sim-kept", "The platform keeps no network.");
      assert.equal(await remove.isDisabled(), true);
      await click(page, START);
      await waitForText(page, "message", FOUND);
      await click(page, "Press its WPS button");
      await waitForText(page, "message", "Connected to “Home”");
      await waitForText(page, "sim-kept", "The platform keeps “Home”.");
      await remove.click();
      await waitForText(page, "message", "The saved network was removed by another program");
      const advice = "The device has forgotten the network. Pair again, or set Wi-Fi up by hand.";
      assert.equal(await page.locator("#advice").textContent(), advice);
      await waitForText(page, "network", "Not connected");
      await waitForText(page, "sim-kept", "The platform keeps no network.");
      assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "bad");
      await click(page, START);
      await waitForText(page, "message", FOUND);
      await click(page, "Press its WPS button");
      await waitForText(page, "message", "Connected to “Home”");
      await waitForText(page, "sim-kept", "The platform keeps “Home”.");
    },
    { daemon: { flags: ["--platform-keeps-networks"] } },
  ));

test("a device without an IP address says so, until it has one", () =>
  withPage(async ({ page }) => {
    const last = { task: "pair", result: "ok", advice: "WPS is best switched off.", ago_s: 3 };
    const status = { state: "idle", mode: "STA", ssid: "Home", has_address: false, last };
    const wifi = { wps: false, mode: "STA", status: "OK", ssid: "Home", has_address: false };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.route("**/api/v1/system", (route) => route.fulfill({ json: { wifi, device: {} } }));
    await page.reload();
    await waitForText(page, "advice", "Waiting for an IP address from the router…");
    await waitForText(page, "network", "Connected to “Home”, no IP address");
    last.ago_s = 20;
    await waitForText(page, "message", "Connected to “Home”, but the device has no IP address");
    await waitForText(page, "advice", "is DHCP on in your router's settings?");
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "bad");
    status.has_address = wifi.has_address = true;
    await waitForText(page, "advice", "WPS is best switched off.");
    assert.equal(await page.locator("#pairing").getAttribute("data-tone"), "good");
    await waitForText(page, "network", "Connected to “Home”");
    assert.equal(await page.locator("#message").textContent(), "Connected to “Home”");
  }));

test("a device that cannot apply its settings can pair and be set up by hand", () =>
  withPage(async ({ page }) => {
    assert.equal(await page.locator("#sim-kept").isVisible(), false, "this platform keeps nothing");
    const trouble = { cause: "kept_elsewhere", reason: "only another program has the key", advice: "Pair again." };
    const status = { state: "restoring", mode: "STA", ssid: "Home" };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", "The device is starting…");
    assert.equal(await page.locator("#start").isDisabled(), true);
    status.trouble = trouble;
    await waitForText(page, "message", "The Wi-Fi settings could not be applied");
    await waitForText(page, "advice", "The last try failed: only another program has the key. Pair again.");
    for (const id of ["start", "join"]) assert.equal(await page.locator("#" + id).isDisabled(), false, id);
  }));

test("a device that cannot save its settings says so, and takes no requests until it can", () =>
  withPage(async ({ page }) => {
    const trouble = { cause: "store", reason: "the settings could not be saved", advice: "Make sure that its storage is not full." };
    const status = { state: "restoring", mode: "STA", ssid: "Home", trouble };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", "The Wi-Fi settings could not be saved");
    await waitForText(page, "advice", "The last try failed: the settings could not be saved. Make sure that its storage is not full.");
    for (const id of ["start", "join"]) assert.equal(await page.locator("#" + id).isDisabled(), true, id);
    Object.assign(status, { state: "idle", trouble: undefined });
    await waitForText(page, "message", IDLE);
    for (const id of ["start", "join"]) assert.equal(await page.locator("#" + id).isDisabled(), false, id);
  }));

test("the window closes if no button is pressed", () =>
  withPage(async ({ page }) => {
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "Let a minute pass");
    await until(async () => (await secondsLeft(page)) <= 60, () => "the countdown did not jump by a minute");
    await click(page, "Let a minute pass");
    await waitForText(page, "message", "Not connected: no router's WPS button was pressed within two minutes");
    await waitForText(page, "advice", "Start again and press the WPS button of the router within two minutes");
  }));

test("a pairing can be cancelled with the keyboard", () =>
  withPage(async ({ page }) => {
    await waitForText(page, "message", IDLE);
    await page.getByRole("button", { name: START }).focus();
    await page.keyboard.press("Enter");
    await waitForText(page, "message", FOUND);
    await page.keyboard.press("Enter"); // the focus is on Cancel, where Start was
    await waitForText(page, "message", "Cancelled");
    await waitForText(page, "advice", "Start again whenever you like");
  }));

test("a wrong key from the router is shown while the window is open", () =>
  withPage(async ({ page }) => {
    await click(page, "Let it hand over a wrong key");
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "Press its WPS button");
    await waitForText(page, "advice", "The last try failed: the network did not accept its key");
    await click(page, "Cancel");
    await waitForText(page, "message", "Cancelled");
  }));

test("by hand: a wrong password is rolled back, the right one is kept", () =>
  withPage(async ({ page, daemon }) => {
    await page.locator("summary").click();
    await page.getByRole("radio", { name: /Home/ }).check();
    assert.equal(await page.getByLabel("Network name").inputValue(), "Home");
    await page.locator("#password").fill("wrong horse");
    await click(page, "Connect");
    await waitForText(page, "message", "Connecting to “Home”…");
    await waitForText(page, "advice", "The last try failed: the network did not accept its key. Trying again.");
    assert.ok((await secondsLeft(page)) <= 30);
    await click(page, "Let a minute pass");
    await waitForText(page, "message", "Not connected: the network did not accept its key");
    await waitForText(page, "advice", "The previous settings are in force again.");
    await waitForText(page, "advice", "The network does not accept this password.");
    await waitForText(page, "network", "Wi-Fi is off");
    assert.equal((await daemon.request("/api/v1/wifi/sta/settings")).enable, false);

    await page.locator("#password").fill("correct horse");
    await click(page, "Show the password");
    assert.equal(await page.locator("#password").getAttribute("type"), "text");
    await page.locator("#password").press("Enter");
    await waitForText(page, "message", "Connected to “Home”");
    await waitForText(page, "network", "Connected to “Home”");
    assert.equal(await page.locator("#hand").getAttribute("open"), null);
    assert.equal(await page.locator("#password").inputValue(), "", "it is not kept in the page");
    assert.equal(await page.locator("#password").getAttribute("type"), "password");
    assert.ok(!daemon.log.includes("horse"), "nor in the log");
  }));

test("by hand: errors are shown next to the form, and nothing is sent without a password", () =>
  withPage(async ({ page, daemon }) => {
    await page.locator("summary").click();
    await page.getByLabel("Network name").fill("Attic");
    await click(page, "Connect");
    assert.equal(await page.locator("#password").evaluate((it) => it.validity.valueMissing), true);
    await page.locator("#password").fill("short");
    await click(page, "Connect");
    await waitForText(page, "mistake", "Give a password of 8 to 63 characters");
    assert.equal((await daemon.status()).last, undefined, "nothing was tried");
    await page.getByLabel("This network has no password").check();
    assert.equal(await page.locator("#password").isDisabled(), true);
    await click(page, "Connect");
    await waitForText(page, "advice", "The last try failed: the network is not in range. Trying again.");
    await click(page, "Cancel");
    await waitForText(page, "message", "Cancelled");
    assert.equal(await page.getByLabel("Network name").inputValue(), "Attic", "it can be corrected");
  }));

test("with a password set, the page works with the password only", () =>
  withPage(
    async ({ page, daemon }) => {
      assert.equal((await fetch(daemon.url)).status, 401);
      await click(page, START);
      await waitForText(page, "message", FOUND);
      await click(page, "Press its WPS button");
      await waitForText(page, "message", "Connected to “Home”");
    },
    {
      daemon: { env: { WPSD_PASSWORD: "open, sesame" } },
      context: { httpCredentials: { username: "", password: "open, sesame" } },
    },
  ));

test("the page works with the event stream alone", () =>
  withPage(async ({ page }) => {
    await waitForText(page, "message", IDLE);
    await page.route("**/api/v1/wifi/wps", (route) => (route.request().method() === "GET" ? route.abort() : route.continue()));
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await click(page, "Press its WPS button");
    await waitForText(page, "message", "Connected to “Home”");
  }));

test("the page works with polling alone", () =>
  withPage(async ({ page, daemon }) => {
    await page.route("**/events", (route) => route.abort());
    await page.goto(daemon.url);
    await click(page, START);
    await waitForText(page, "message", FOUND);
    await daemon.simulate("press");
    await waitForText(page, "message", "Connected to “Home”");
  }));

test("the countdown continues while the device is unreachable, and the result of the pairing is shown later", async () => {
  const namespace = await Namespace.make();
  try {
    const device = { ip: namespace.device, namespaceName: namespace.name };
    await withPage(async ({ page, daemon }) => {
      await click(page, START);
      await waitForText(page, "message", FOUND);
      namespace.disconnect();
      await waitForText(page, "trouble", "The device cannot be reached just now");
      await waitForText(page, "elsewhere", /try http:\/\/\S+:\d+\//);
      const before = await secondsLeft(page);
      await until(async () => (await secondsLeft(page)) < before, () => "the countdown does not continue");
      daemon.type("p"); // press the router's button
      await daemon.logs(/Idle, last: Some/);
      assert.equal(await page.locator("#message").textContent(), FOUND, "no status can have arrived");
      namespace.reconnect();
      await waitForText(page, "message", "Connected to “Home”");
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
    const device = { ip: namespace.device, listen: "0.0.0.0", namespaceName: namespace.name };
    const flags = ["--host-resolver-rules=MAP *.local " + namespace.elsewhere];
    await withPage(async ({ page, daemon }) => {
      await waitForText(page, "network", "Wi-Fi is off");
      await click(page, START);
      await waitForText(page, "message", FOUND);
      namespace.move();
      await page.waitForURL(/^http:\/\/[^.]+\.local:\d+\/$/);
      await waitForText(page, "message", FOUND);
      assert.ok((await secondsLeft(page)) > 90, "the same window");
      daemon.type("p");
      await waitForText(page, "message", "Connected to “Home”");
    }, { daemon: device, flags });
  } finally {
    namespace.remove();
  }
});

test("on the device's own hotspot, the page explains in advance that it will lose the connection", () =>
  withPage(
    async ({ page }) => {
      await waitForText(page, "network", "Own hotspot “Device”");
      await waitForText(page, "leaving", "If you are on that hotspot, this page loses the device for a while");
      await waitForText(page, "leaving", /by its name, \S+, and shows the result/);
      await click(page, START);
      await waitForText(page, "message", FOUND);
      assert.ok(await page.locator("#leaving").isVisible());
    },
    { daemon: { flags: ["--blank", "access-point", "--access-point-name", "Device", "--access-point-open"] } },
  ));

test("the page says when the device is offline", () =>
  withPage(async ({ page }) => {
    // The simulated radio leaves its network only briefly, so the test provides the status.
    const status = { state: "searching", seen: "exchanging", ssid: "Home", off_air: true, mode: "STA", remaining_s: 60 };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", "Getting the network from “Home”");
    await waitForText(page, "air", "The device is offline while it talks to the router.");
    status.off_air = undefined;
    await page.waitForFunction(() => document.getElementById("air").textContent === "");
  }));

test("a device that cannot scan keeps looking", () =>
  withPage(async ({ page }) => {
    const status = { state: "searching", seen: "cannot_scan", mode: "OFF", remaining_s: 60 };
    await page.route("**/events", (route) => route.abort());
    await page.route("**/api/v1/wifi/wps", (route) => route.fulfill({ json: status }));
    await page.reload();
    await waitForText(page, "message", "Looking for your router…");
    await waitForText(page, "advice", "The device cannot look for routers now. Trying again.");
  }));

test("a network name is only shown as text", () =>
  withPage(async ({ page }) => {
    const malicious = "<img src=x onerror=alert(1)>";
    const found = [
      { ssid: malicious, bssid: "020000000001", signal: 90, auth_mode: "WPA2", wps: "true", wps_active: false },
      { ssid: malicious, bssid: "020000000002", signal: 30, auth_mode: "WPA2", wps: "true", wps_active: false },
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
    await click(page, "Connect");
    await until(() => sent.length > 0, () => "nothing was sent");
    assert.deepEqual(sent, [{ enable: true, name_hex: "636166E9", password: "" }], "the bytes of the name, not its text");
  }));
