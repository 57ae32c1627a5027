// The page's calls. Owns: JSON over fetch, retries that the server asks for. Leaves meaning to permit.js.

export class Refused extends Error {
  constructor(problem) {
    super(problem.detail || problem.code);
    this.code = problem.code || "error";
    this.reference = (problem.instance || "").split(":").pop();
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Post JSON; a busy server (503 with Retry-After) is asked again with the same body, three times at most. */
export async function post(path, body, signal) {
  for (let attempt = 0; ; attempt += 1) {
    let response;
    try {
      response = await fetch(`/api/v1/permits/${path}`, {
        method: "POST", credentials: "same-origin", headers: { "content-type": "application/json" },
        body: JSON.stringify(body), signal,
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (attempt < 2) { await pause(600 * (attempt + 1)); continue; }
      throw new Refused({ code: "network" });
    }
    if (response.ok) return response.json();
    const problem = await response.json().catch(() => ({ code: "error" }));
    const wait = Number(response.headers.get("retry-after"));
    if (response.status === 503 && wait > 0 && attempt < 3) { await pause(wait * 1000); continue; }
    throw new Refused(problem);
  }
}
