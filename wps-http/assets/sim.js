// The panel that controls the simulated routers. It is hidden if the device has a real radio.
import { ApiError, byId, quote, request, setText } from "./device.js";

let simulated = true; // until the device returns an error

/** Shows the state of the router, if it is simulated. */
export async function showSim() {
  if (!simulated) return;
  try {
    const sim = await request("/api/v1/sim");
    const [router, second] = sim.routers;
    const pressedText = (it) => (it.pressed ? ", its WPS button is pressed" : "");
    const describe = (it) => (it.on ? "switched on" : "switched off") + (it.wps ? pressedText(it) : ", without WPS") + (it.wrong_key ? ", with a wrong key to hand over" : "");
    let text = quote(router.ssid) + " (password: " + router.key + ") is " + describe(router) + ".";
    if (second.on) text += " " + quote(second.ssid) + " is there too" + pressedText(second) + ".";
    setText("sim-state", text);
    const toggles = { second: second.on, power: !router.on, "wps-off": !router.wps, "wrong-key": router.wrong_key };
    for (const [key, isOn] of Object.entries(toggles)) {
      document.querySelector(`[data-sim="${key}"]`).setAttribute("aria-pressed", String(isOn));
    }
    byId("sim").hidden = false;
  } catch (error) {
    simulated = !(error instanceof ApiError);
    byId("sim").hidden = !simulated || byId("sim").hidden;
  }
}

/** Connects the buttons. Calls `onChange` after each click. */
export function connectSimButtons(onChange) {
  for (const button of document.querySelectorAll("[data-sim]")) {
    button.addEventListener("click", async () => {
      try {
        await request("/api/v1/sim/" + button.dataset.sim, "POST");
      } catch {
        // The panel shows the actual state in any case.
      }
      showSim();
      onChange();
    });
  }
}
