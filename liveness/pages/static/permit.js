// The permit page: document, face, result. Owns: the order of the steps and what is said. Leaves calls to api.js, the camera to
// camera.js, the chain to chain.js; judges nothing.

import { Refused, post } from "./api.js";
import { Camera, cameraProblem } from "./camera.js";
import { FrameChain, SessionKey } from "./chain.js";

const FRAME_EVERY_MS = 140;
const BATCH = 4;
const REST_FRAMES = 6;
const MIN_CAPTURE_MS = 2700;
const AFTER_LAST_MS = 400;

const $ = (id) => document.getElementById(id);
const check = $("permit").dataset.check;
const texts = Object.fromEntries([...$("texts").querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent]));
const say = (code) => texts[code] || texts.other;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let running = null;

function show(step) {
  for (const name of ["document", "face", "result"]) {
    $(`step-${name}`).hidden = name !== step;
    $(`mark-${name}`).toggleAttribute("aria-current", false);
    if (name === step) $(`mark-${name}`).setAttribute("aria-current", "step");
  }
  $(`head-${step}`).focus();
}

function complain(box, error) {
  const known = error instanceof Refused ? texts[error.code] || texts.error : texts[error] || texts.error;
  box.replaceChildren(Object.assign(document.createElement("p"), { textContent: known }));
  if (error instanceof Refused && error.code.startsWith("document_") && error.message) {
    box.append(Object.assign(document.createElement("p"), { textContent: error.message, lang: "en" }));
  }
  if (error.reference) box.append(Object.assign(document.createElement("p"), { textContent: `${texts.reference}: ${error.reference}`, className: "muted" }));
  box.hidden = false;
}

$("document-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("document-error").hidden = true;
  const button = event.submitter;
  button.disabled = true;
  try {
    const mrz = $("mrz").value.split("\n").map((line) => line.trim()).filter(Boolean);
    await post(`checks/${check}/document`, { number: $("number").value.trim(), mrz });
    show("face");
  } catch (error) {
    complain($("document-error"), error);
    $("number").focus();
  } finally {
    button.disabled = false;
  }
});

/** Show the nonce's colours one after the other, slowly: never more than two changes a second (WCAG 2.3.1 allows three flashes). */
async function shine(colours, signal) {
  if ($("no-flash").checked || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (let at = 0; !signal.aborted; at = (at + 1) % colours.length) {
    $("light").dataset.colour = colours[at];
    await pause(900);
  }
}

async function capture(camera, key, signal) {
  const session = await post(`checks/${check}/liveness`, { public_key: key.jwk }, signal);
  const began = performance.now();
  const chain = new FrameChain(session.nonce);
  let waiting = [];
  let performed = 0;
  let doneAt = null;
  let last = -1;
  let sending = Promise.resolve();
  let failed = null;
  const send = () => {
    const frames = waiting;
    waiting = [];
    sending = sending.then(async () => {
      if (failed || !frames.length) return;
      const progress = await post(`liveness/${session.session}/frames`, { frames }, signal);
      performed = progress.performed;
      $("progress").value = performed;
    }).catch((error) => { failed = error; });
  };
  shine(session.colours, signal);
  while (!failed && !signal.aborted && chain.count < session.max_frames) {
    const elapsed = performance.now() - began;
    if (elapsed > (session.expires_in - 4) * 1000) break;
    if (performed >= session.actions.length) {
      doneAt ??= elapsed;
      if (elapsed - doneAt > AFTER_LAST_MS && elapsed > MIN_CAPTURE_MS && chain.count >= session.min_frames) break;
    }
    const asked = chain.count < REST_FRAMES ? "look" : session.actions[performed] || "look";
    if ($("instruction").textContent !== say(asked)) $("instruction").textContent = say(asked);
    const jpeg = await camera.frame(session.max_frame_bytes);
    const tMs = Math.max(last + 1, Math.floor(performance.now() - began));
    last = tMs;
    waiting.push(await chain.add(jpeg, tMs));
    if (waiting.length >= BATCH) send();
    await pause(Math.max(0, FRAME_EVERY_MS - (performance.now() - began - elapsed)));
  }
  send();
  $("instruction").textContent = say("wait");
  await sending;
  if (failed) throw failed;
  if (signal.aborted) throw new DOMException("stopped", "AbortError");
  return post(`liveness/${session.session}/answer`, await chain.answer(key), signal);
}

function conclude(answer) {
  const box = $("result");
  box.className = `notice ${answer.decision === "pass" ? "notice-ok" : "notice-error"}`;
  const lines = answer.decision === "pass" ? [say("passed")] : answer.decision === "review" ? [say("review")] : [...new Set(answer.reasons.map(say))];
  box.replaceChildren(...lines.map((line) => Object.assign(document.createElement("p"), { textContent: line })));
  $("again").hidden = Boolean(answer.next) || !(answer.attempts_left > 0);
  $("onward").hidden = !answer.next;
  if (answer.next) $("onward").href = answer.next;
  show("result");
  if (answer.next && answer.decision === "pass") setTimeout(() => location.assign(answer.next), 1200);
}

$("start").addEventListener("click", async () => {
  $("face-error").hidden = true;
  if (!window.isSecureContext || !navigator.mediaDevices || !crypto.subtle) { complain($("face-error"), "insecure"); return; }
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  $("start").disabled = true;
  let camera = null;
  try {
    try { camera = await Camera.open($("video")); } catch (error) { complain($("face-error"), cameraProblem(error)); return; }
    $("face-intro").hidden = true;
    $("stage").hidden = false;
    $("progress").value = 0;
    conclude(await capture(camera, await SessionKey.make(), signal));
  } catch (error) {
    if (error.name !== "AbortError") complain($("face-error"), error);
  } finally {
    running?.abort();
    camera?.close();
    delete $("light").dataset.colour;
    $("start").disabled = false;
    $("face-intro").hidden = false;
    $("stage").hidden = true;
  }
});

$("stop").addEventListener("click", () => running?.abort());
$("again").addEventListener("click", () => show("face"));
