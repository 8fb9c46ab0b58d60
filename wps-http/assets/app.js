// Shows the status of the pairing with a countdown, and starts and cancels it.
import { connectForm, onIdle, progressText } from "./by-hand.js";
import { ApiError, byId, quote, request, setText, strength } from "./device.js";

const WPS = "/api/v1/wifi/wps";
const WINDOW_S = { opening: 120, searching: 120, joining: 120, saving: 120, configuring: 30 };
const ADDRESS_WAIT_S = 15; // A router with DHCP gives the device an address within this time.
const BUSY = Object.keys(WINDOW_S);
const CAN_CANCEL = ["opening", "searching", "joining", "configuring"];

let status = null; // the latest status
let receivedAt = -Infinity; // when it was received, on the clock of this page
let closesAt = null; // when the window closes, on the same clock
let reachable = true;
let pollCount = 0; // only the response to the latest poll counts
let isPolling = false;
let stream = null;
let streamOpenedAt = 0;

// --- show the status -------------------------------------------------------------------------

function headline(s) {
  const name = s.ssid === undefined ? "the router" : quote(s.ssid);
  switch (s.state) {
    case "starting": return "The device is starting…";
    case "opening": return "Getting ready…";
    case "joining": return "Connecting to " + name;
    case "saving": return "Connected to " + name + ", saving…";
    case "configuring": return progressText();
    case "restoring":
      if (cannotSave(s)) return "The Wi-Fi settings could not be saved";
      if (s.trouble) return "The Wi-Fi settings could not be applied";
      return s.last ? "Putting the Wi-Fi settings back…" : "The device is starting…";
    case "searching":
      switch (s.seen) {
        case "no_router": return "No router in range";
        case "no_wps": return "No router with WPS in range";
        case "not_pressed": return "Router found: now press its WPS button";
        case "pressed": return "The button of " + name + " was pressed";
        case "exchanging": return "Getting the network from " + name;
        default: return "Looking for your router…";
      }
    default: return "Connect this device to your Wi-Fi";
  }
}

// The device reports these by itself: nobody has requested a change (TaskResult::is_requested).
const UNREQUESTED = ["corrupt", "network_removed"];

/** Returns that the network refuses its key, or for an hour how the last task ended. */
function result(s) {
  if (s.state !== "idle") return null;
  const last = s.last && s.last.ago_s <= 3600 ? s.last : {};
  const advice = last.advice || "";
  const failed = last.result === "failed" && last.cause !== "cancelled";
  if (s.trouble) {
    const also = failed ? " The last try failed: " + last.reason + ". " + advice : "";
    return { tone: "bad", text: "Pair again: " + s.trouble.reason, advice: s.trouble.advice + also };
  }
  if (last.result === "ok") {
    if (s.mode !== "STA" || s.ssid === undefined) return null;
    const text = "Connected to " + quote(s.ssid) + (last.open ? ", which has no password" : "");
    if (s.has_address !== false) return { tone: "good", text, advice };
    if (last.ago_s < ADDRESS_WAIT_S) return { tone: "calm", text, advice: "Waiting for an IP address from the router…" };
    return { tone: "bad", text: text + ", but the device has no IP address", advice: NO_ADDRESS };
  }
  if (last.cause === "cancelled") return { tone: "calm", text: "Cancelled", advice };
  if (!failed) return null;
  if (UNREQUESTED.includes(last.cause)) return { tone: "bad", text: last.reason[0].toUpperCase() + last.reason.slice(1), advice };
  const back = last.task === "configure" ? "The previous settings are in force again. " : "";
  return { tone: "bad", text: "Not connected: " + last.reason, advice: back + advice };
}

const NO_ADDRESS = "The network is saved. The device goes online once the router gives it an IP address: is DHCP on in your router's settings? Otherwise set an address on the device by hand.";

function advice(s) {
  if (s.trouble && s.state === "configuring") return "The last try failed: " + s.trouble.reason + ". Trying again.";
  if (s.trouble) return "The last try failed: " + s.trouble.reason + ". " + s.trouble.advice;
  if (s.state !== "searching") return "";
  switch (s.seen) {
    case "looking": return "Press the WPS button on your router.";
    case "cannot_scan": return "The device cannot look for routers now. Trying again.";
    case "no_router": return "Is your router on, and near? If it has no WPS, cancel and set Wi-Fi up by hand.";
    case "not_pressed": return s.unconfigured ? unconfiguredAdvice(s) : "";
    case "no_wps": return "Switch WPS on in your router's settings. If it has no WPS, cancel and set Wi-Fi up by hand.";
    default: return "";
  }
}

function unconfiguredAdvice(s) {
  const { ssid } = s.unconfigured;
  const router = ssid === undefined ? "A router in range" : "The router " + quote(ssid);
  return router + " was never set up. If you press its button, it takes a new password, and the devices that use it now are cut off.";
}

/** Returns whether saving the settings has failed. The device then refuses all requests. */
function cannotSave(s) {
  return s.state === "restoring" && s.trouble?.cause === "store";
}

/** Returns whether the device takes requests. It also does if it cannot apply its settings. */
function canStart(s) {
  return s.state === "idle" || (s.state === "restoring" && s.trouble !== undefined && !cannotSave(s));
}

function offAir(s) {
  if (!s.off_air) return "";
  return "The device is offline while it " + (s.seen === "exchanging" ? "talks to the router." : "looks for the router.");
}

function render() {
  const s = status;
  const busy = BUSY.includes(s.state);
  const ended = result(s);
  byId("pairing").dataset.tone = ended ? ended.tone : "calm";
  setText("message", ended ? ended.text : headline(s));
  setText("advice", ended ? ended.advice : advice(s));
  setText("air", offAir(s));
  byId("steps").hidden = s.state !== "idle" || (ended !== null && !s.trouble);
  showChoice(s);
  byId("leaving").hidden = s.mode !== "AP" || !(busy || s.state === "idle");
  // Move the keyboard focus to the button that replaces the hidden one.
  const [from, to] = busy ? ["start", "cancel"] : ["cancel", "start"];
  const follow = document.activeElement === byId(from);
  byId("start").hidden = busy;
  byId("start").disabled = byId("join").disabled = !canStart(s);
  byId("cancel").hidden = !busy;
  byId("cancel").disabled = !CAN_CANCEL.includes(s.state);
  if (follow) byId(to).focus();
  if (s.state === "idle") onIdle(s.last);
}

/** Updates the countdown, even while the device cannot be reached. */
function tick() {
  const open = closesAt !== null && status !== null && BUSY.includes(status.state);
  byId("dial").hidden = !open;
  if (!open) return;
  const left = Math.max(0, Math.ceil((closesAt - performance.now()) / 1000));
  setText("left", Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0"));
  byId("arc").setAttribute("stroke-dashoffset", String(120 - (120 * left) / WINDOW_S[status.state]));
}

function unreachableText() {
  return status !== null && !["idle", "starting"].includes(status.state)
    ? "The device cannot be reached just now, as it may be while it changes networks. Still trying."
    : "The device cannot be reached. Is it on, and in the same network as you? Still trying.";
}

// --- choose a router after an overlap ---------------------------------------------------------

/** After a failure, shows the access points that were in pairing mode, to choose one. */
function showChoice(s) {
  const hasFailed = s.state === "idle" && s.last?.result === "failed" && s.last.cause !== "cancelled" && s.last.ago_s <= 3600;
  const routers = (hasFailed && s.pressed) || [];
  byId("choice").hidden = routers.length < 2;
  const shown = JSON.stringify(routers);
  if (byId("routers").dataset.shown === shown) return;
  byId("routers").dataset.shown = shown;
  byId("routers").replaceChildren(...routers.map(routerButton));
}

function routerButton({ ssid, bssid, band, signal }) {
  const name = ssid === undefined ? "" : quote(ssid) + " ";
  const about = ["(" + bssid.match(/../g).join(":") + ")", band, strength(signal)].filter(Boolean);
  const textContent = name + about.join(", ");
  const button = Object.assign(document.createElement("button"), { type: "button", textContent });
  button.addEventListener("click", () => send("POST", { bssid }));
  return button;
}

// --- get the status: from the event stream, and by polling if no event arrives ----------------

function onStatus(newStatus) {
  const [previousState, previousTrouble, hadAddress] = [status?.state, status?.trouble?.reason, status?.has_address];
  const [now, before] = [performance.now(), closesAt];
  [status, receivedAt] = [newStatus, now];
  closesAt = newStatus.remaining_s === undefined ? null : now + newStatus.remaining_s * 1000;
  // The seconds are rounded up, so the earliest end received is the most exact.
  if (before !== null && closesAt !== null && Math.abs(closesAt - before) < 2000) closesAt = Math.min(closesAt, before);
  if (!reachable) setText("trouble", "");
  reachable = true;
  byId("elsewhere").hidden = true;
  const isNewState = previousState !== newStatus.state;
  render();
  tick();
  const isNewLink = isNewState || previousTrouble !== newStatus.trouble?.reason || hadAddress !== newStatus.has_address;
  if (isNewLink && !BUSY.includes(newStatus.state)) showNetwork();
}

function onError(error) {
  reachable = error instanceof ApiError;
  setText("trouble", reachable ? error.message : unreachableText());
  byId("elsewhere").hidden = reachable || !byId("by-name").textContent || byId("by-name").host === location.host;
  if (!byId("elsewhere").hidden) findByName();
}

/** Looks for the device by its name, because it has another address after a change of networks. */
async function findByName() {
  if (["idle", "starting"].includes(status?.state ?? "idle") || !byId("by-name").hostname.endsWith(".local")) return;
  try {
    // This page has another origin, so it cannot read the response. It is enough that there is one.
    await fetch(byId("by-name").href + "icon.svg", { mode: "no-cors", credentials: "omit", signal: AbortSignal.timeout(3000) });
    location.assign(byId("by-name").href);
  } catch {
    // Not there yet.
  }
}

async function poll() {
  const number = ++pollCount;
  isPolling = true;
  try {
    const polled = await request(WPS);
    if (number !== pollCount) return;
    // A poll during a window means that no events arrive: reopen the stream.
    const needsStream = !reachable || stream?.readyState !== EventSource.OPEN || polled.remaining_s !== undefined;
    if (needsStream && performance.now() - streamOpenedAt > 5000) openStream();
    onStatus(polled);
    if (polled.state === "idle") showNetwork();
  } catch (error) {
    if (number !== pollCount) return;
    receivedAt = performance.now();
    onError(error);
  } finally {
    if (number === pollCount) isPolling = false;
  }
}

function openStream() {
  stream?.close();
  streamOpenedAt = performance.now();
  stream = new EventSource(WPS + "/events");
  stream.onmessage = (event) => onStatus(JSON.parse(event.data));
}

function pollIfStale() {
  tick();
  const isStreamOpen = stream?.readyState === EventSource.OPEN;
  const isIdle = status?.state === "idle" && reachable;
  const maxAge = (isStreamOpen ? [2500, 15000] : [1000, 3000])[Number(isIdle)];
  if (!isPolling && !document.hidden && performance.now() - receivedAt > maxAge) poll();
}

/** The device allows few listeners, so a hidden page closes its stream. */
function onVisibilityChange() {
  if (document.hidden) return stream?.close();
  openStream();
  poll();
}

function remarks(wifi) {
  return (wifi.auth_mode === "open" ? ", no password" : "") + (wifi.has_address === false ? ", no IP address" : "");
}

async function showNetwork() {
  try {
    const { wifi, device } = await request("/api/v1/system");
    const name = wifi.ssid === undefined ? "" : " " + quote(wifi.ssid);
    const text = {
      OFF: "Wi-Fi is off",
      AP: "Own hotspot" + name,
      STA: wifi.status === "OK" ? "Connected to" + name + remarks(wifi) : "Not connected",
    }[wifi.mode];
    setText("network", text || "\u00a0");
    if (device?.name) {
      const host = device.name.includes(".") ? device.name : device.name + ".local";
      byId("by-name").href = byId("by-name").textContent = location.protocol + "//" + host + (location.port && ":" + location.port) + "/";
      setText("its-name", ", " + host + ",");
    }
  } catch {
    setText("network", "\u00a0");
  }
}

// --- handle user input -----------------------------------------------------------------------

async function send(method, content) {
  setText("trouble", "");
  try {
    await request(WPS, method, content);
  } catch (error) {
    onError(error);
  }
  poll();
}

byId("start").addEventListener("click", () => send("POST"));
byId("cancel").addEventListener("click", () => send("DELETE"));
document.addEventListener("visibilitychange", onVisibilityChange);
connectForm(poll);
setInterval(pollIfStale, 250);
onVisibilityChange();
