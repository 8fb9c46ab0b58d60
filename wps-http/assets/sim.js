// The panel that plays the router: only a simulated radio answers here.
import { Refused, ask, at, quoted, say } from "./device.js";

let simulated = true; // until the device says that it is not

/** The router as it is, if it is a simulated one. */
export async function showSim() {
  if (!simulated) return;
  try {
    const sim = await ask("/api/v1/sim");
    const [router, second] = sim.routers;
    const pressed = (it) => (it.pressed ? ", its WPS button is pressed" : "");
    const there = (it) => (it.on ? "switched on" : "switched off") + (it.wps ? pressed(it) : ", without WPS") + (it.wrong_key ? ", with a wrong key to hand over" : "");
    let text = quoted(router.ssid) + " (password: " + router.key + ") is " + there(router) + ".";
    if (second.on) text += " " + quoted(second.ssid) + " is there too" + pressed(second) + ".";
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

/** `changed` is called when something was played. */
export function play(changed) {
  for (const button of document.querySelectorAll("[data-sim]")) {
    button.addEventListener("click", async () => {
      try {
        await ask("/api/v1/sim/" + button.dataset.sim, "POST");
      } catch {
        // The panel shows what is, whatever was asked.
      }
      showSim();
      changed();
    });
  }
}
