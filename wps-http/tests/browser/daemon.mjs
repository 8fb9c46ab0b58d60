// A running wpsd with a simulated radio, whose router the test plays.
import { spawn, spawnSync } from "node:child_process";

const WPS = "/api/v1/wifi/wps";
const PATIENCE_MS = 15000;

export class Daemon {
  /** Starts it on `ip`, in the network namespace `within` if there is one. */
  static async start({ flags = [], ip = "127.0.0.1", listen = ip, within = null, env = {} } = {}) {
    const program = [process.env.WPSD, "--listen", listen + ":0", ...flags];
    const [command, ...rest] = within ? ["ip", "netns", "exec", within, ...program] : program;
    const { RUST_LOG, WPSD_PASSWORD, ...clean } = process.env;
    const daemon = new Daemon();
    daemon.log = "";
    daemon.child = spawn(command, rest, { env: { ...clean, ...env }, stdio: "pipe" });
    daemon.child.stderr.on("data", (text) => (daemon.log += text));
    let said = "";
    daemon.child.stdout.on("data", (text) => (said += text));
    await until(() => /http:\/\/(\S+)/.test(said) && daemon.log.includes("serving"), () => "not started: " + daemon.log);
    daemon.host = ip + said.match(/http:\/\/\S+(:\d+)/)[1];
    daemon.url = "http://" + daemon.host;
    return daemon;
  }

  async ask(path, method = "GET") {
    const answer = await fetch(this.url + path, { method });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  }

  /** Presses, takes away, and so on: what the panel in the page can do. */
  play(move) {
    return this.ask("/api/v1/sim/" + move, "POST");
  }

  /** The same by a key of the terminal, which needs no network. */
  type(key) {
    this.child.stdin.write(key + "\n");
  }

  status() {
    return this.ask(WPS);
  }

  /** Waits for a line of the log. */
  async logs(pattern) {
    await until(() => pattern.test(this.log), () => `the log never says ${pattern}: ${this.log}`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }
}

/** Waits for what takes its own time. */
export async function until(come, complaint) {
  const begin = Date.now();
  while (!(await come())) {
    if (Date.now() - begin > PATIENCE_MS) throw new Error(complaint());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A network namespace with a cable to this one: the device at 198.18.7.2, this machine at 198.18.7.1;
 * and once the device has moved, at 198.18.7.6 and 198.18.7.5. */
export class Namespace {
  static async make() {
    const namespace = new Namespace();
    namespace.name = "wps-" + process.pid;
    const cable = ["wps" + process.pid, "wpe" + process.pid];
    namespace.cable = cable;
    namespace.device = "198.18.7.2";
    namespace.elsewhere = "198.18.7.6";
    const within = (namespace.within = ["netns", "exec", namespace.name, "ip"]);
    ip("netns", "add", namespace.name);
    try {
      ip("link", "add", cable[0], "type", "veth", "peer", "name", cable[1], "netns", namespace.name);
      ip("addr", "add", "198.18.7.1/30", "dev", cable[0]);
      ip("addr", "add", "198.18.7.5/30", "dev", cable[0]);
      ip("link", "set", cable[0], "up");
      ip(...within, "addr", "add", namespace.device + "/30", "dev", cable[1]);
      ip(...within, "link", "set", cable[1], "up");
    } catch (error) {
      namespace.remove();
      throw error;
    }
    return namespace;
  }

  /** Nothing passes any more, and nobody is told. */
  cut() {
    ip("link", "set", this.cable[0], "down");
  }

  mend() {
    ip("link", "set", this.cable[0], "up");
  }

  /** The device is in another network now, at another address. */
  move() {
    ip(...this.within, "addr", "del", this.device + "/30", "dev", this.cable[1]);
    ip(...this.within, "addr", "add", this.elsewhere + "/30", "dev", this.cable[1]);
  }

  remove() {
    ip("netns", "del", this.name); // and the cable with it
  }
}

function ip(...words) {
  const { status, stderr } = spawnSync("ip", words, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr || "is it installed?"}`);
}
