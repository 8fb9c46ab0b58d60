// The device behind the page, and small things that all parts of the page need.

export const at = (id) => document.getElementById(id);

/** Sets text only when it changes, so that a screen reader says it once. */
export function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

export const quoted = (name) => "“" + name + "”";

/** The device's own words. */
export class Refused extends Error {}

export async function ask(path, method = "GET", content, patience = method === "GET" ? 3000 : 20000) {
  // A change waits until it is on the device's disk; a question is better asked again.
  const request = { method, signal: AbortSignal.timeout(patience) };
  if (content) Object.assign(request, { body: JSON.stringify(content), headers: { "Content-Type": "application/json" } });
  const answer = await fetch(path, request);
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) throw new Refused(body?.detail || "The device said " + answer.status + ".");
  return body;
}
