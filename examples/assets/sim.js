// The panel that controls the simulated routers. A simulated wpsd adds it to the page.
import { byId, quote, request, setText } from "./device.js";

const POLL_INTERVAL_MS = 1000;

/** Shows the state of the routers, and what a platform that keeps networks has. */
async function showState() {
  try {
    const { routers: [router, second], kept } = await request("/api/v1/sim");
    const pressedText = (it) => (it.pressed ? ", its WPS button is pressed" : "");
    const describe = (it) => (it.on ? "switched on" : "switched off") + (it.wps ? pressedText(it) : ", without WPS") + (it.wrong_key ? ", with a wrong key to hand over" : "");
    let text = quote(router.ssid) + " (password: " + router.key + ") is " + describe(router) + ".";
    if (second.on) text += " " + quote(second.ssid) + " is there too" + pressedText(second) + ".";
    setText("sim-state", text);
    const toggles = { second: second.on, power: !router.on, "wps-off": !router.wps, "wrong-key": router.wrong_key, "change-key": router.changed_key };
    for (const [key, isOn] of Object.entries(toggles)) {
      document.querySelector(`[data-sim="${key}"]`).setAttribute("aria-pressed", String(isOn));
    }
    const remove = document.querySelector('[data-sim="remove-kept"]');
    byId("sim-kept").hidden = remove.hidden = kept === null;
    remove.disabled = !kept?.length;
    setText("sim-kept", kept?.length ? "The platform keeps " + kept.map(quote).join(", ") + "." : "The platform keeps no network.");
  } catch {
    // The device cannot be reached just now, and the page says so.
  }
}

/** Shows the state again and again, since keys in the terminal change it, too. */
async function pollState() {
  if (!document.hidden) await showState();
  setTimeout(pollState, POLL_INTERVAL_MS);
}

for (const button of document.querySelectorAll("[data-sim]")) {
  button.addEventListener("click", async () => {
    try {
      await request("/api/v1/sim/" + button.dataset.sim, "POST");
    } catch {
      // The panel shows the actual state in any case.
    }
    showState();
  });
}
pollState();
