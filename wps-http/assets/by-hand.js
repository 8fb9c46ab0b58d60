// Sets Wi-Fi up by hand: a network in range or a name, and its password.
import { Refused, ask, at, quoted, say } from "./device.js";

let wanted = null; // the network that was sent
let hex = null; // of a name that is no text

async function look() {
  say("looked", "Looking for networks…");
  at("look").disabled = true;
  try {
    const found = (await ask("/api/v1/wifi/scan", "GET", undefined, 20000)).filter((it) => it.ssid);
    const names = new Set();
    const first = found.filter((it) => !names.has(it.ssid_hex || it.ssid) && names.add(it.ssid_hex || it.ssid));
    at("networks").replaceChildren(...first.map(choice));
    say("looked", first.length ? "" : "No network is in range. Type the name of a hidden one.");
  } catch (error) {
    say("looked", (error instanceof Refused ? error.message : "The device did not answer.") + " Or type the name.");
  }
  at("look").disabled = false;
}

/** A network in range, the strongest access point of its name. */
function choice(network) {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const open = ["open", "OWE"].includes(network.auth_mode);
  const strength = network.signal === undefined ? "" : ["weak", "fair", "strong"][Math.min(2, Math.floor(network.signal / 34))];
  const about = [open ? "open" : network.auth_mode, strength].filter(Boolean).join(", ");
  const row = make("label", { className: "network" });
  const input = make("input", { type: "radio", name: "network" });
  input.addEventListener("change", () => {
    at("name").value = network.ssid;
    hex = network.ssid_hex || null;
    at("open").checked = open;
    needsPassword();
  });
  row.append(input, make("span", { textContent: network.ssid }), make("small", { textContent: about }));
  return row;
}

function needsPassword() {
  at("password").disabled = at("reveal").disabled = at("open").checked;
  if (at("open").checked) at("password").value = "";
}

function reveal(shown) {
  at("password").type = shown ? "text" : "password";
  at("reveal").setAttribute("aria-pressed", String(shown));
  say("reveal", shown ? "Hide" : "Show");
}

async function join(event, changed) {
  event.preventDefault();
  say("mistake", "");
  const name = at("name").value;
  const network = hex === null ? { name } : { name_hex: hex };
  at("join").disabled = true;
  try {
    await ask("/api/v1/wifi/sta/settings", "PUT", { enable: true, ...network, password: at("password").value });
    wanted = name;
    reveal(false);
    at("message").focus();
    at("pairing").scrollIntoView({ block: "nearest" });
  } catch (error) {
    say("mistake", error instanceof Refused ? error.message : "The device did not answer. Try again.");
    at("join").disabled = false;
  }
  changed();
}

/** What is being done, in words. */
export function connecting() {
  return wanted === null ? "The settings are being changed…" : "Connecting to " + quoted(wanted) + "…";
}

/** The device is at rest: what was sent may have come to its end. */
export function settled(last) {
  if (wanted === null || last?.task !== "configure") return;
  wanted = null;
  at("hand").open = last.result !== "ok";
  if (last.result === "ok") at("password").value = "";
}

/** `changed` is called when something was sent. */
export function setUp(changed) {
  at("hand").addEventListener("toggle", () => at("hand").open && !at("networks").children.length && look());
  at("look").addEventListener("click", look);
  at("open").addEventListener("change", needsPassword);
  at("reveal").addEventListener("click", () => reveal(at("password").type === "password"));
  at("name").addEventListener("input", () => {
    hex = null;
    for (const it of document.querySelectorAll(".network input")) it.checked = false;
  });
  at("by-hand").addEventListener("submit", (event) => join(event, changed));
}
