// Shows the status of the pairing, counts down, and starts and cancels it.
"use strict";

const WPS = "/api/v1/wifi/wps";
const WINDOW_S = 120;
const PAIRING = ["opening", "searching", "joining", "saving"];
const CAN_CANCEL = ["opening", "searching", "joining"];

const at = (id) => document.getElementById(id);
let status = null; // the last one that arrived
let closesAt = null; // when the window closes, on this page's own clock
let reachable = true;
let polling = 0;
let turns = 0; // a later answer beats an earlier one
let simulated = true; // until the device says that it is not

/** Sets text only when it changes, so that a screen reader says it once. */
function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

async function ask(path, method = "GET") {
  // A change waits until it is on the device's disk; a question is better asked again.
  const patience = method === "GET" ? 3000 : 20000;
  const answer = await fetch(path, { method, signal: AbortSignal.timeout(patience) });
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) throw new Refused(body?.detail || "The device said " + answer.status + ".");
  return body;
}

class Refused extends Error {}

function headline(s) {
  const name = s.ssid === undefined ? "the router" : "“" + s.ssid + "”";
  switch (s.state) {
    case "starting": return "The device is starting…";
    case "opening": return "Getting ready…";
    case "joining": return "Connecting to " + name;
    case "saving": return "Connected to " + name + ", saving…";
    case "configuring": return "The settings are being changed…";
    case "restoring": return s.last ? "Putting the Wi-Fi settings back…" : "The device is starting…";
    case "searching":
      switch (s.seen) {
        case "no_router": return "No router with WPS in range";
        case "not_pressed": return "Router found: now press its WPS button";
        case "pressed": return "The button of " + name + " was pressed";
        case "exchanging": return "Getting the network from " + name;
        default: return "Looking for your router…";
      }
    default: return "Connect this device to your Wi-Fi";
  }
}

/** How the last pairing ended, while that is news. */
function result(s) {
  if (s.state !== "idle" || s.last?.task !== "pair" || s.last.ago_s > 3600) return null;
  if (s.last.result === "ok") {
    return { tone: "good", text: "Connected to “" + s.ssid + "”", advice: s.last.advice };
  }
  const text = s.last.cause === "cancelled" ? "Cancelled" : "Not connected: " + s.last.reason;
  return { tone: s.last.cause === "cancelled" ? "calm" : "bad", text, advice: s.last.advice };
}

function advice(s) {
  if (s.state === "searching" && (s.seen === "no_router" || s.seen === "looking") && !s.trouble) {
    return "Press the WPS button on your router. If it has none, set Wi-Fi up by hand.";
  }
  if (s.trouble) return "The last try failed: " + s.trouble.reason + ". " + s.trouble.advice;
  return "";
}

function show() {
  const s = status;
  const pairing = PAIRING.includes(s.state);
  const ended = result(s);
  at("pairing").dataset.tone = ended ? ended.tone : "calm";
  say("message", ended ? ended.text : headline(s));
  say("advice", (ended ? ended.advice : advice(s)) || "");
  at("steps").hidden = s.state !== "idle" || ended?.tone === "good";
  at("leaving").hidden = s.mode !== "AP" || !(pairing || s.state === "idle");
  // The keyboard stays where the button was.
  const [from, to] = pairing ? ["start", "cancel"] : ["cancel", "start"];
  const follow = document.activeElement === at(from);
  at("start").hidden = pairing;
  at("start").disabled = s.state !== "idle";
  at("cancel").hidden = !pairing;
  at("cancel").disabled = !CAN_CANCEL.includes(s.state);
  if (follow) at(to).focus();
}

/** Counts on while the device cannot be reached. */
function tick() {
  const open = closesAt !== null && status !== null && PAIRING.includes(status.state);
  at("dial").hidden = !open;
  if (!open) return;
  const left = Math.max(0, Math.ceil((closesAt - performance.now()) / 1000));
  say("left", Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0"));
  at("arc").setAttribute("stroke-dashoffset", String(WINDOW_S - left));
}

function lost() {
  if (status !== null && PAIRING.includes(status.state)) {
    return "The device cannot be reached just now, as it may be while it changes networks. Still trying.";
  }
  return "The device cannot be reached. Is it on, and in the same network as you? Still trying.";
}

async function poll() {
  clearTimeout(polling);
  const turn = ++turns;
  const was = status?.state;
  try {
    const answer = await ask(WPS);
    if (turn !== turns) return;
    status = answer;
    closesAt = status.remaining_s === undefined ? null : performance.now() + status.remaining_s * 1000;
    if (!reachable) say("trouble", "");
    reachable = true;
    show();
    if (was === undefined || !PAIRING.includes(status.state)) showNetwork();
  } catch (error) {
    if (turn !== turns) return;
    reachable = false;
    say("trouble", error instanceof Refused ? error.message : lost());
  }
  if (was !== status?.state) showSim();
  tick();
  polling = setTimeout(poll, status?.state === "idle" && reachable ? 3000 : 1000);
}

async function showNetwork() {
  try {
    const { wifi } = await ask("/api/v1/system");
    const name = wifi.ssid === undefined ? "" : " “" + wifi.ssid + "”";
    const text = {
      OFF: "Wi-Fi is off",
      AP: "Own hotspot" + name,
      STA: wifi.status === "OK" ? "Connected to" + name : "Not connected",
    }[wifi.mode];
    say("network", text || "\u00a0");
  } catch {
    say("network", "\u00a0");
  }
}

async function act(method) {
  say("trouble", "");
  try {
    await ask(WPS, method);
  } catch (error) {
    reachable = error instanceof Refused;
    say("trouble", error instanceof Refused ? error.message : lost());
  }
  poll();
}

// The second panel: only a simulated radio answers here.
async function showSim() {
  if (!simulated) return;
  try {
    const sim = await ask("/api/v1/sim");
    const [router, second] = sim.routers;
    const pressed = (it) => (it.pressed ? ", its WPS button is pressed" : "");
    let text = "“" + router.ssid + "” is " + (router.on ? "switched on" : "switched off") + pressed(router) + ".";
    if (second.on) text += " “" + second.ssid + "” is there too" + pressed(second) + ".";
    say("sim-state", text);
    const down = { second: second.on, power: !router.on, "wps-off": !router.wps, "wrong-key": router.wrong_key };
    for (const [key, isDown] of Object.entries(down)) {
      document.querySelector(`[data-sim="${key}"]`).setAttribute("aria-pressed", String(isDown));
    }
    at("sim").hidden = false;
  } catch (error) {
    simulated = !(error instanceof Refused);
    at("sim").hidden = !simulated || at("sim").hidden;
  }
}

for (const button of document.querySelectorAll("[data-sim]")) {
  button.addEventListener("click", async () => {
    try {
      await ask("/api/v1/sim/" + button.dataset.sim, "POST");
    } catch {
      // The panel shows what is, whatever was asked.
    }
    showSim();
    poll();
  });
}
at("start").addEventListener("click", () => act("POST"));
at("cancel").addEventListener("click", () => act("DELETE"));
document.addEventListener("visibilitychange", () => document.hidden || poll());
setInterval(tick, 250);
showSim();
poll();
