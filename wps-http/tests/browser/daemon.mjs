// Starts wpsd with a simulated radio. The test controls the simulated router.
import { spawn, spawnSync } from "node:child_process";

const WPS = "/api/v1/wifi/wps";
const TIMEOUT_MS = 15000;

export class Daemon {
  /** Starts the daemon on `ip`, in the network namespace `namespaceName` if given. */
  static async start({ flags = [], ip = "127.0.0.1", listen = ip, namespaceName = null, env = {} } = {}) {
    const program = [process.env.WPSD, "demo", "--listen", listen + ":0", ...flags];
    const [command, ...rest] = namespaceName ? ["ip", "netns", "exec", namespaceName, ...program] : program;
    const { RUST_LOG, WPSD_PASSWORD, ...clean } = process.env;
    const daemon = new Daemon();
    daemon.log = "";
    daemon.child = spawn(command, rest, { env: { ...clean, ...env }, stdio: "pipe" });
    daemon.child.stderr.on("data", (text) => (daemon.log += text));
    let stdout = "";
    daemon.child.stdout.on("data", (text) => (stdout += text));
    await until(() => /http:\/\/(\S+)/.test(stdout) && daemon.log.includes("serving"), () => "not started: " + daemon.log);
    daemon.host = ip + stdout.match(/http:\/\/\S+(:\d+)/)[1];
    daemon.url = "http://" + daemon.host;
    return daemon;
  }

  async request(path, method = "GET") {
    const response = await fetch(this.url + path, { method });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response.status === 204 ? null : response.json();
  }

  /** Performs an action of the page's panel, such as pressing the router's button. */
  simulate(action) {
    return this.request("/api/v1/sim/" + action, "POST");
  }

  /** Does the same with a key in the terminal, which needs no network. */
  type(key) {
    this.child.stdin.write(key + "\n");
  }

  status() {
    return this.request(WPS);
  }

  /** Waits until the log matches `pattern`. */
  async logs(pattern) {
    await until(() => pattern.test(this.log), () => `the log never matches ${pattern}: ${this.log}`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }
}

/** Waits until the condition is met. Throws an error with `message` after a timeout. */
export async function until(condition, message) {
  const begin = Date.now();
  while (!(await condition())) {
    if (Date.now() - begin > TIMEOUT_MS) throw new Error(message());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A network namespace that is connected to this one by a cable (veth).
 *
 * The device has the address 198.18.7.2, and this machine 198.18.7.1. After the device has moved,
 * the addresses are 198.18.7.6 and 198.18.7.5. */
export class Namespace {
  static async make() {
    const namespace = new Namespace();
    namespace.name = "wps-" + process.pid;
    const cable = ["wps" + process.pid, "wpe" + process.pid];
    namespace.cable = cable;
    namespace.device = "198.18.7.2";
    namespace.elsewhere = "198.18.7.6";
    const ipWithin = (namespace.ipWithin = ["netns", "exec", namespace.name, "ip"]);
    ip("netns", "add", namespace.name);
    try {
      ip("link", "add", cable[0], "type", "veth", "peer", "name", cable[1], "netns", namespace.name);
      ip("addr", "add", "198.18.7.1/30", "dev", cable[0]);
      ip("addr", "add", "198.18.7.5/30", "dev", cable[0]);
      ip("link", "set", cable[0], "up");
      ip(...ipWithin, "addr", "add", namespace.device + "/30", "dev", cable[1]);
      ip(...ipWithin, "link", "set", cable[1], "up");
    } catch (error) {
      namespace.remove();
      throw error;
    }
    return namespace;
  }

  /** Drops all packets. Neither side gets an error. */
  disconnect() {
    ip("link", "set", this.cable[0], "down");
  }

  reconnect() {
    ip("link", "set", this.cable[0], "up");
  }

  /** Moves the device to another network, with another address. */
  move() {
    ip(...this.ipWithin, "addr", "del", this.device + "/30", "dev", this.cable[1]);
    ip(...this.ipWithin, "addr", "add", this.elsewhere + "/30", "dev", this.cable[1]);
  }

  remove() {
    // The kernel removes a namespace some time after this returns, but the cable at once.
    spawnSync("ip", ["link", "del", this.cable[0]]);
    ip("netns", "del", this.name);
  }
}

function ip(...words) {
  const { status, stderr } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr || "is it installed?"}`);
}
