// Requests to the device, and helpers that all parts of the page use.

export const byId = (id) => document.getElementById(id);

/** Sets a text only if it changes, so that a screen reader reads it once. */
export function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

export const quote = (name) => "“" + name + "”";

/** Returns a word for a signal in percent, or an empty text if it is unknown. */
export function strength(signal) {
  return signal === undefined ? "" : ["weak", "fair", "strong"][Math.min(2, Math.floor(signal / 34))];
}

/** An error response of the device. Its message is for people. */
export class ApiError extends Error {}

export async function request(path, method = "GET", content, timeout = method === "GET" ? 3000 : 30000) {
  // A change waits until it is written to the device's disk. A GET is better retried soon.
  const options = { method, signal: AbortSignal.timeout(timeout) };
  if (content) Object.assign(options, { body: JSON.stringify(content), headers: { "Content-Type": "application/json" } });
  const response = await fetch(path, options);
  const isJson = (response.headers.get("content-type") || "").includes("json");
  const body = isJson ? await response.json() : null;
  if (!response.ok) throw new ApiError(body?.detail || "The device said " + response.status + ".");
  return body;
}
