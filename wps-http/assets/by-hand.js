// Sets Wi-Fi up by hand: with a network in range or a typed name, and its password.
import { ApiError, byId, quote, request, setText, strength } from "./device.js";

let sentName = null; // the name of the network that was sent to the device
let nameHex = null; // the bytes of a name that is not text

async function scan() {
  setText("looked", "Looking for networks…");
  byId("look").disabled = true;
  try {
    const found = (await request("/api/v1/wifi/scan", "GET", undefined, 20000)).filter((it) => it.ssid);
    const names = new Set();
    const first = found.filter((it) => !names.has(it.ssid_hex || it.ssid) && names.add(it.ssid_hex || it.ssid));
    byId("networks").replaceChildren(...first.map(networkRow));
    setText("looked", first.length ? "" : "No network is in range. Type the name of a hidden one.");
  } catch (error) {
    setText("looked", (error instanceof ApiError ? error.message : "The device did not answer.") + " Or type the name.");
  }
  byId("look").disabled = false;
}

/** Creates the row of a network in range, from the strongest access point with its name. */
function networkRow(network) {
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const open = ["open", "OWE"].includes(network.auth_mode);
  const about = [open ? "open" : network.auth_mode, strength(network.signal)].filter(Boolean).join(", ");
  const row = make("label", { className: "network" });
  const input = make("input", { type: "radio", name: "network" });
  input.addEventListener("change", () => {
    byId("name").value = network.ssid;
    nameHex = network.ssid_hex || null;
    byId("open").checked = open;
    updatePasswordFields();
  });
  row.append(input, make("span", { textContent: network.ssid }), make("small", { textContent: about }));
  return row;
}

function updatePasswordFields() {
  byId("password").disabled = byId("reveal").disabled = byId("open").checked;
  if (byId("open").checked) byId("password").value = "";
}

function showPassword(shown) {
  byId("password").type = shown ? "text" : "password";
  byId("reveal").setAttribute("aria-pressed", String(shown));
  setText("reveal", shown ? "Hide" : "Show");
}

async function join(event, onChange) {
  event.preventDefault();
  setText("mistake", "");
  const name = byId("name").value;
  const network = nameHex === null ? { name } : { name_hex: nameHex };
  byId("join").disabled = true;
  try {
    await request("/api/v1/wifi/sta/settings", "PUT", { enable: true, ...network, password: byId("password").value });
    sentName = name;
    showPassword(false);
    byId("message").focus();
    byId("pairing").scrollIntoView({ block: "nearest" });
  } catch (error) {
    setText("mistake", error instanceof ApiError ? error.message : "The device did not answer. Try again.");
    byId("join").disabled = false;
  }
  onChange();
}

/** Returns a text about the change in progress. */
export function progressText() {
  return sentName === null ? "The settings are being changed…" : "Connecting to " + quote(sentName) + "…";
}

/** Called while the device is idle: the change that was sent may have ended. */
export function onIdle(last) {
  if (sentName === null || last?.task !== "configure") return;
  sentName = null;
  byId("hand").open = last.result !== "ok";
  if (last.result === "ok") byId("password").value = "";
}

/** Connects the form. `onChange` is called after something was sent. */
export function connectForm(onChange) {
  byId("hand").addEventListener("toggle", () => byId("hand").open && !byId("networks").children.length && scan());
  byId("look").addEventListener("click", scan);
  byId("open").addEventListener("change", updatePasswordFields);
  byId("reveal").addEventListener("click", () => showPassword(byId("password").type === "password"));
  byId("name").addEventListener("input", () => {
    nameHex = null;
    for (const it of document.querySelectorAll(".network input")) it.checked = false;
  });
  byId("by-hand").addEventListener("submit", (event) => join(event, onChange));
}
