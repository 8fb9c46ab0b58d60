// A page of another site, open in the browser of somebody at home, wants the device to pair.
//
// On localhost a browser tells more of itself (Sec-Fetch-Site) than it tells a device in the network.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { browsing } from "./browser.mjs";
import { Daemon, Namespace, until } from "./daemon.mjs";

const WPS = "/api/v1/wifi/wps";
const HAND = "/api/v1/wifi/sta/settings";

/** The device tells of those who try at most once a second: the next one is to be told, too. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 1100));

/** The attacker's site, at evil.example for the browser. */
async function site(visit) {
  const server = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end("<!doctype html><title>kittens</title>"));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await visit("http://evil.example:" + server.address().port);
  } finally {
    server.close();
  }
}

/** What a browser does for the attacker, in a page of its own each. */
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

async function withstands(daemon) {
  const [ip, port] = daemon.host.split(":");
  await until(async () => (await daemon.status()).state === "idle", () => "never at rest");
  const rules = `--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example ${ip}`;
  const visit = async (browser) => {
    await site(async (evil) => {
      for (const [name, attack] of Object.entries(attacks)) {
        for (const path of [WPS, HAND, "/api/v1/sim/press"]) {
          const page = await browser.newPage();
          await page.goto(evil);
          await quiet();
          daemon.log = "";
          await page.evaluate(attack, daemon.url + path).catch(() => {}); // refused, or gone to another page
          await daemon.logs(/request not served denied=ForeignOrigin/).catch((error) => {
            throw new Error(`${name} at ${path}: ${error.message}`);
          });
          assert.match(daemon.log, new RegExp(`origin="${evil}"`), `${name}: who tried`);
          await page.close();
        }
      }
      // What has no Origin can at most read, and the browser keeps that from the attacker.
      const page = await browser.newPage();
      await page.goto(evil);
      for (const method of ["PUT", "DELETE"]) {
        await quiet();
        daemon.log = "";
        const told = await page.evaluate(([url, method]) => fetch(url, { method }).catch(String), [daemon.url + WPS, method]);
        assert.match(told, /TypeError/, method);
        await daemon.logs(/denied=ForeignOrigin/); // the question beforehand
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
          events.onmessage = () => resolve("told");
          events.onerror = () => resolve("nothing");
        }),
        daemon.url + WPS + "/events",
      );
      assert.equal(stream, "nothing");
    });

    // A name that was turned to the device is an own page for the browser: Host tells.
    const page = await browser.newPage();
    await quiet();
    daemon.log = "";
    const rebound = `http://rebound.example:${port}`;
    const answer = await page.goto(rebound + "/icon.svg");
    assert.equal(answer.status(), 404);
    for (const method of ["POST", "DELETE", "GET"]) {
      const status = await page.evaluate(([url, method]) => fetch(url, { method }).then((it) => it.status), [rebound + WPS, method]);
      assert.equal(status, 404, method);
    }
    await daemon.logs(new RegExp(`denied=ForeignHost .*host="rebound.example:${port}"`));
  };
  await browsing(visit, [rules]);
  const { state, last } = await daemon.status();
  assert.deepEqual([state, last], ["idle", undefined], "the radio did not move");
  assert.ok((await daemon.ask("/api/v1/sim")).routers.every((it) => !it.pressed), "nor did the router");
  assert.doesNotMatch(daemon.log, /Opening|Searching|Configuring/);

  // The same browser gets in by the front door: it was the attacker that was kept out.
  await browsing(async (browser) => {
    const page = await browser.newPage();
    await page.goto(daemon.url);
    assert.equal(await page.evaluate((url) => fetch(url, { method: "POST" }).then((it) => it.status), WPS), 204);
  });
  assert.notEqual((await daemon.status()).state, "idle");
}

test("a page of another site, the device on localhost", async () => {
  const daemon = await Daemon.start();
  try {
    await withstands(daemon);
  } finally {
    await daemon.stop();
  }
});

test("a page of another site, the device in the network", async () => {
  const namespace = await Namespace.make();
  try {
    const daemon = await Daemon.start({ ip: namespace.device, within: namespace.name });
    try {
      await withstands(daemon);
    } finally {
      await daemon.stop();
    }
  } finally {
    namespace.remove();
  }
});
