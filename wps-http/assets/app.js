// Shows the status of the pairing, counts down, starts and cancels it.
import { connecting, settled, setUp } from "./by-hand.js";
import { Refused, ask, at, quoted, say } from "./device.js";
import { play, showSim } from "./sim.js";

const WPS = "/api/v1/wifi/wps";
const WINDOW_S = { opening: 120, searching: 120, joining: 120, saving: 120, configuring: 30 };
const BUSY = Object.keys(WINDOW_S);
const CAN_CANCEL = ["opening", "searching", "joining", "configuring"];

let status = null; // the last one that arrived
let heardAt = -Infinity; // when, on this page's own clock
let closesAt = null; // when the window closes, on the same clock
let reachable = true;
let turns = 0; // a later answer beats an earlier one
let asking = false;
let stream = null;
let listenedAt = 0;

// --- how it stands ---------------------------------------------------------------------------

function headline(s) {
  const name = s.ssid === undefined ? "the router" : quoted(s.ssid);
  switch (s.state) {
    case "starting": return "The device is starting…";
    case "opening": return "Getting ready…";
    case "joining": return "Connecting to " + name;
    case "saving": return "Connected to " + name + ", saving…";
    case "configuring": return connecting();
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

/** How the last pairing or change ended, while that is news. */
function result(s) {
  if (s.state !== "idle" || !s.last || s.last.ago_s > 3600) return null;
  const advice = s.last.advice || "";
  if (s.last.result === "ok") {
    if (s.mode !== "STA" || s.ssid === undefined) return null;
    return { tone: "good", text: "Connected to " + quoted(s.ssid), advice };
  }
  if (s.last.cause === "cancelled") return { tone: "calm", text: "Cancelled", advice };
  const back = s.last.task === "configure" ? "The previous settings are in force again. " : "";
  return { tone: "bad", text: "Not connected: " + s.last.reason, advice: back + advice };
}

function advice(s) {
  if (s.trouble && s.state === "configuring") return "The last try failed: " + s.trouble.reason + ". Trying again.";
  if (s.trouble) return "The last try failed: " + s.trouble.reason + ". " + s.trouble.advice;
  if (s.state !== "searching") return "";
  if (s.seen === "no_router") return "Is your router on, and near? If it has no WPS, cancel and set Wi-Fi up by hand.";
  return s.seen === "looking" ? "Press the WPS button on your router." : "";
}

function offAir(s) {
  if (!s.off_air) return "";
  return "The device is off-line while it " + (s.seen === "exchanging" ? "talks to the router." : "looks for the router.");
}

function show() {
  const s = status;
  const busy = BUSY.includes(s.state);
  const ended = result(s);
  at("pairing").dataset.tone = ended ? ended.tone : "calm";
  say("message", ended ? ended.text : headline(s));
  say("advice", ended ? ended.advice : advice(s));
  say("air", offAir(s));
  at("steps").hidden = s.state !== "idle" || ended !== null;
  at("leaving").hidden = s.mode !== "AP" || !(busy || s.state === "idle");
  // The keyboard stays where the button was.
  const [from, to] = busy ? ["start", "cancel"] : ["cancel", "start"];
  const follow = document.activeElement === at(from);
  at("start").hidden = busy;
  at("start").disabled = at("join").disabled = s.state !== "idle";
  at("cancel").hidden = !busy;
  at("cancel").disabled = !CAN_CANCEL.includes(s.state);
  if (follow) at(to).focus();
  if (s.state === "idle") settled(s.last);
}

/** Counts on while the device cannot be reached. */
function tick() {
  const open = closesAt !== null && status !== null && BUSY.includes(status.state);
  at("dial").hidden = !open;
  if (!open) return;
  const left = Math.max(0, Math.ceil((closesAt - performance.now()) / 1000));
  say("left", Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0"));
  at("arc").setAttribute("stroke-dashoffset", String(120 - (120 * left) / WINDOW_S[status.state]));
}

function lost() {
  return status !== null && !["idle", "starting"].includes(status.state)
    ? "The device cannot be reached just now, as it may be while it changes networks. Still trying."
    : "The device cannot be reached. Is it on, and in the same network as you? Still trying.";
}

// --- where the status comes from: the event stream, and questions whenever it is silent -------

function arrived(news) {
  const was = status?.state;
  const [now, before] = [performance.now(), closesAt];
  [status, heardAt] = [news, now];
  closesAt = news.remaining_s === undefined ? null : now + news.remaining_s * 1000;
  // Whole seconds, rounded up: the earliest end that was told is the nearest to the truth.
  if (before !== null && closesAt !== null && Math.abs(closesAt - before) < 2000) closesAt = Math.min(closesAt, before);
  if (!reachable) say("trouble", "");
  reachable = true;
  at("elsewhere").hidden = true;
  show();
  tick();
  if (was !== news.state) {
    showSim();
    if (!BUSY.includes(news.state)) showNetwork();
  }
}

function failed(error) {
  reachable = error instanceof Refused;
  say("trouble", reachable ? error.message : lost());
  at("elsewhere").hidden = reachable || !at("by-name").textContent || at("by-name").host === location.host;
  if (!at("elsewhere").hidden) seek();
}

/** A device that has changed networks is at another address: it is looked for by its name. */
async function seek() {
  if (["idle", "starting"].includes(status?.state ?? "idle") || !at("by-name").hostname.endsWith(".local")) return;
  try {
    // For the device this page is a foreign one, which may not read the answer. That there is one suffices.
    await fetch(at("by-name").href + "icon.svg", { mode: "no-cors", credentials: "omit", signal: AbortSignal.timeout(3000) });
    location.assign(at("by-name").href);
  } catch {
    // Not there yet.
  }
}

async function poll() {
  const turn = ++turns;
  asking = true;
  try {
    const answer = await ask(WPS);
    if (turn !== turns) return;
    // Whoever has to ask does not hear the stream.
    const deaf = !reachable || stream?.readyState !== EventSource.OPEN || answer.remaining_s !== undefined;
    if (deaf && performance.now() - listenedAt > 5000) listen();
    arrived(answer);
    if (answer.state === "idle") showNetwork();
  } catch (error) {
    if (turn !== turns) return;
    heardAt = performance.now();
    failed(error);
  } finally {
    if (turn === turns) asking = false;
  }
}

function listen() {
  stream?.close();
  listenedAt = performance.now();
  stream = new EventSource(WPS + "/events");
  stream.onmessage = (event) => arrived(JSON.parse(event.data));
}

function watch() {
  tick();
  const streams = stream?.readyState === EventSource.OPEN;
  const calm = status?.state === "idle" && reachable;
  const patience = (streams ? [2500, 15000] : [1000, 3000])[Number(calm)];
  if (!asking && !document.hidden && performance.now() - heardAt > patience) poll();
}

/** Few may listen at a time: a page that nobody sees does not. */
function seen() {
  if (document.hidden) return stream?.close();
  listen();
  poll();
}

async function showNetwork() {
  try {
    const { wifi, device } = await ask("/api/v1/system");
    const name = wifi.ssid === undefined ? "" : " " + quoted(wifi.ssid);
    const text = {
      OFF: "Wi-Fi is off",
      AP: "Own hotspot" + name,
      STA: wifi.status === "OK" ? "Connected to" + name : "Not connected",
    }[wifi.mode];
    say("network", text || "\u00a0");
    if (device?.name) {
      const host = device.name.includes(".") ? device.name : device.name + ".local";
      at("by-name").href = at("by-name").textContent = location.protocol + "//" + host + (location.port && ":" + location.port) + "/";
      say("its-name", ", " + host + ",");
    }
  } catch {
    say("network", "\u00a0");
  }
}

// --- what people do --------------------------------------------------------------------------

async function act(method) {
  say("trouble", "");
  try {
    await ask(WPS, method);
  } catch (error) {
    failed(error);
  }
  poll();
}

at("start").addEventListener("click", () => act("POST"));
at("cancel").addEventListener("click", () => act("DELETE"));
document.addEventListener("visibilitychange", seen);
setUp(poll);
play(poll);
setInterval(watch, 250);
showSim();
seen();
