// A page of another site, open in a browser in the home network, tries to make the device pair.
//
// A browser sends Sec-Fetch-Site to localhost, but not to a device on the network.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { withBrowser } from "./browser.mjs";
import { Daemon, Namespace, until } from "./daemon.mjs";

const WPS = "/api/v1/wifi/wps";
const HAND = "/api/v1/wifi/sta/settings";

/** Waits until the device logs the next refusal. It logs at most one per second. */
const waitForLogInterval = () => new Promise((resolve) => setTimeout(resolve, 1100));

/** Serves the attacker's site, which the browser reaches as evil.example, and runs `test`. */
async function withAttackerSite(test) {
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<!doctype html><title>kittens</title>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await test("http://evil.example:" + server.address().port);
  } finally {
    server.close();
  }
}

/** The attacks. Each runs in a new page. */
const attacks = {
  "a form": (url) => {
    const form = Object.assign(document.createElement("form"), { method: "POST", action: url });
    document.body.append(form);
    form.submit();
  },
  "a form that pretends to be JSON": (url) => {
    const form = Object.assign(document.createElement("form"), { method: "POST", enctype: "text/plain", action: url });
    const input = Object.assign(document.createElement("input"), { name: '{"enable":false,"name":"x","password":"', value: '"}' });
    form.append(input);
    document.body.append(form);
    form.submit();
  },
  "fetch, no-cors": (url) => fetch(url, { method: "POST", mode: "no-cors" }),
  "fetch with a body, no-cors": (url) => fetch(url, { method: "POST", mode: "no-cors", body: "{}" }),
  "fetch, cors": (url) => fetch(url, { method: "POST" }),
  "a beacon": (url) => navigator.sendBeacon(url, "x"),
};

async function checkAttacks(daemon) {
  const [ip, port] = daemon.host.split(":");
  await until(async () => (await daemon.status()).state === "idle", () => "the device never becomes idle");
  const rules = `--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example ${ip}`;
  const attackDevice = async (browser) => {
    await withAttackerSite(async (attacker) => {
      for (const [name, attack] of Object.entries(attacks)) {
        for (const path of [WPS, HAND, "/api/v1/sim/press"]) {
          const page = await browser.newPage();
          await page.goto(attacker);
          await waitForLogInterval();
          daemon.log = "";
          // Fails if the request is refused, or if the page has navigated away.
          await page.evaluate(attack, daemon.url + path).catch(() => {});
          await daemon.logs(/request refused reason=ForeignOrigin/).catch((error) => {
            throw new Error(`${name} at ${path}: ${error.message}`);
          });
          assert.match(daemon.log, new RegExp(`origin="${attacker}"`), `${name}: the log names the origin`);
          await page.close();
        }
      }
      // A request without Origin can only read, and the browser hides the response from the page.
      const page = await browser.newPage();
      await page.goto(attacker);
      for (const method of ["PUT", "DELETE"]) {
        await waitForLogInterval();
        daemon.log = "";
        const result = await page.evaluate(([url, method]) => fetch(url, { method }).catch(String), [daemon.url + WPS, method]);
        assert.match(result, /TypeError/, method);
        await daemon.logs(/reason=ForeignOrigin/); // the CORS preflight request
      }
      const seen = await page.evaluate(
        (url) => new Promise((resolve) => {
          const image = Object.assign(new Image(), { onload: () => resolve("shown"), onerror: () => resolve("nothing") });
          image.src = url;
        }),
        daemon.url + WPS,
      );
      assert.equal(seen, "nothing");
      const read = await page.evaluate((url) => fetch(url).then((it) => it.text(), String), daemon.url + WPS);
      assert.match(read, /TypeError/, "the status cannot be read");
      const stream = await page.evaluate(
        (url) => new Promise((resolve) => {
          const events = new EventSource(url);
          events.onmessage = () => resolve("received");
          events.onerror = () => resolve("nothing");
        }),
        daemon.url + WPS + "/events",
      );
      assert.equal(stream, "nothing");
    });

    // With DNS rebinding the browser sees the same origin. Only the Host header reveals the attack.
    const page = await browser.newPage();
    await waitForLogInterval();
    daemon.log = "";
    const rebound = `http://rebound.example:${port}`;
    const answer = await page.goto(rebound + "/icon.svg");
    assert.equal(answer.status(), 404);
    for (const method of ["POST", "DELETE", "GET"]) {
      const status = await page.evaluate(([url, method]) => fetch(url, { method }).then((it) => it.status), [rebound + WPS, method]);
      assert.equal(status, 404, method);
    }
    await daemon.logs(new RegExp(`reason=ForeignHost .*host="rebound.example:${port}"`));
  };
  await withBrowser(attackDevice, [rules]);
  const { state, last } = await daemon.status();
  assert.deepEqual([state, last], ["idle", undefined], "the radio did not move");
  assert.ok((await daemon.request("/api/v1/sim")).routers.every((it) => !it.pressed), "nor did the router");
  assert.doesNotMatch(daemon.log, /Journaling|Searching|Configuring/);

  // The device's own page works in the same browser: only the attacker was refused.
  await withBrowser(async (browser) => {
    const page = await browser.newPage();
    await page.goto(daemon.url);
    assert.equal(await page.evaluate((url) => fetch(url, { method: "POST" }).then((it) => it.status), WPS), 204);
  });
  assert.notEqual((await daemon.status()).state, "idle");
}

test("a page of another site, the device on localhost", async () => {
  const daemon = await Daemon.start();
  try {
    await checkAttacks(daemon);
  } finally {
    await daemon.stop();
  }
});

test("a page of another site, the device in the network", async () => {
  const namespace = await Namespace.make();
  try {
    const daemon = await Daemon.start({ ip: namespace.device, namespaceName: namespace.name });
    try {
      await checkAttacks(daemon);
    } finally {
      await daemon.stop();
    }
  } finally {
    namespace.remove();
  }
});
