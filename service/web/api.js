/** What is asked of the service, and how it says no. */

const NO_ANSWER = "The service can't be reached.";
const WAIT_SECONDS = [1, 2, 4, 8, 15, 30];

/** A request without a good answer: one line, the status (0: no answer at all), and when to retry. */
export class Refusal extends Error {
  constructor(message, status, retryAfterSeconds = null) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Would the same request have a chance a little later? */
  get passes() {
    return [0, 408, 425, 429, 500, 502, 503, 504].includes(this.status);
  }

  /** Seconds to wait before the next attempt, after `failures` in a row. */
  wait(failures) {
    return this.retryAfterSeconds ?? WAIT_SECONDS[Math.min(failures, WAIT_SECONDS.length) - 1];
  }
}

/** The JSON answer to a GET, or to a POST of `body`; Refusal where there is none. */
export async function ask(path, { body, signal } = {}) {
  const response = await send(path, {
    signal,
    ...(body && {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  try {
    return await response.json();
  } catch (error) {
    throw lost(error);
  }
}

/** The response to a request, once it is a good one; Refusal otherwise. */
export async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw lost(error);
  }
  if (response.ok) {
    return response;
  }
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? `The service answered with status ${response.status}.`;
  throw new Refusal(sentence(message), response.status, retryAfter(response));
}

/** What a broken connection becomes; an abort stays what it is. */
export function lost(error) {
  return error.name === "AbortError" ? error : new Refusal(NO_ANSWER, 0);
}

function retryAfter(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return Number.isNaN(seconds) ? null : Math.min(Math.max(seconds, 1), 120);
}

function sentence(message) {
  const start = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

/** Sleep; rejects when the signal aborts. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
