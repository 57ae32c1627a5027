// The browsers and the portal of bench.login: complete logins at one provider, each by a browser without cookies, each checked to its end.
//   node driver.mjs '{"shape": "returning", "base": "http://127.0.0.1:8300", ...}'   prints one JSON object
// Closed loop (`concurrency` browsers, each with its own kept connection) or open loop (`rate` arrivals a second).
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client, Pool } from 'undici';

const options = JSON.parse(process.argv[2]);
const { base, shape, client_id: clientId, redirect_uri: redirectUri } = options;
const privateKey = crypto.createPrivateKey({ key: options.private_jwk, format: 'jwk' });
const assertionHeader = encode({ alg: 'ES256', kid: options.private_jwk.kid });
const UPSTREAM = 'http://upstream.invalid/sign-in?';
const VERIFY_EVERY = 16;
const now = () => Math.floor(Date.now() / 1000);
let issuerKeys = new Map();
let serial = 0;

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
function random(bytes) {
  return crypto.randomBytes(bytes).toString('base64url');
}
function assertion() {
  const payload = encode({
    iss: clientId, sub: clientId, aud: options.issuer, jti: random(12), iat: now(), exp: now() + 60,
  });
  const signed = `${assertionHeader}.${payload}`;
  return `${signed}.${crypto.sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

class Failure extends Error {}
function must(condition, what) {
  if (!condition) throw new Failure(what);
}

// ---- one browser: cookies by name with their path, and the times of its steps ----
class Browser {
  constructor(http, times) {
    this.http = http;
    this.times = times;
    this.jar = new Map();
  }

  async send(step, method, address, { headers = {}, body } = {}) {
    const path = address.startsWith(base) ? address.slice(base.length) : address;
    const cookies = [];
    for (const [name, cookie] of this.jar) if (path.startsWith(cookie.path)) cookies.push(`${name}=${cookie.value}`);
    const sent = { 'accept-language': 'en', ...headers };
    if (cookies.length) sent.cookie = cookies.join('; ');
    const began = performance.now();
    const answer = await this.http.request({ path, method, headers: sent, body });
    const text = await answer.body.text();
    this.times.push([step, performance.now() - began]);
    this.keep(answer.headers['set-cookie']);
    return { status: answer.statusCode, location: answer.headers.location, text };
  }

  keep(lines) {
    for (const line of lines === undefined ? [] : [].concat(lines)) {
      const [pair, ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const value = pair.slice(at + 1).trim();
      const path = attributes.map((a) => a.trim()).find((a) => a.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      if (value === '' || value === '""' || /max-age=0\b/i.test(line)) this.jar.delete(pair.slice(0, at));
      else this.jar.set(pair.slice(0, at), { value, path });
    }
  }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

function authorizationRequest(verifier, state, nonce, extra) {
  return new URLSearchParams({
    response_type: 'code', client_id: clientId, redirect_uri: redirectUri, scope: 'openid profile', state, nonce,
    code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
    ...extra,
  }).toString();
}

function redirected(answer, from, to) {
  must(answer.status === 303 || answer.status === 302, `${from}: ${answer.status} ${answer.text.slice(0, 300)}`);
  must(to === null || answer.location.startsWith(to), `${from}: went to ${answer.location}`);
  return answer.location;
}

// ---- the ways through: each returns the location at the portal ----
async function ours(browser, query, person, first) {
  const upstream = redirected(await browser.send('authorize', 'GET', `/authorize?${query}`), 'authorize', UPSTREAM);
  const state = new URLSearchParams(upstream.slice(UPSTREAM.length)).get('state');
  const back = await browser.send('callback', 'GET', `/callback/iam_smart?code=${person}&state=${state}`);
  if (!first) return redirected(back, 'callback', redirectUri);
  const page = await browser.send('page', 'GET', redirected(back, 'callback', `${base}/login`));
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text);
  must(page.status === 200 && csrf, `page: ${page.status} ${page.text.slice(0, 300)}`);
  const ticked = [...page.text.matchAll(/name="(item_[a-z]+)" value="yes"/g)].map((match) => [match[1], 'yes']);
  const body = new URLSearchParams([['csrf', csrf[1]], ['decision', 'agree'], ...ticked]).toString();
  return redirected(await browser.send('consent', 'POST', '/login/consent', { headers: FORM, body }), 'consent', redirectUri);
}

async function peers(browser, query, person) {
  const interaction = redirected(await browser.send('auth', 'GET', `/auth?${query}`), 'auth', null);
  const resume = redirected(await browser.send('interaction', 'GET', `${interaction}?person=${person}`), 'interaction', null);
  return redirected(await browser.send('resume', 'GET', resume), 'resume', redirectUri);
}

async function login(http, times, person, kind = shape) {
  const browser = new Browser(http, times);
  const verifier = random(48), state = random(12), nonce = random(12);
  const query = authorizationRequest(verifier, state, nonce, kind === 'peer' ? {} : { connector: 'iam_smart' });
  const location = kind === 'peer' ? await peers(browser, query, person) : await ours(browser, query, person, kind === 'first');
  const answer = new URLSearchParams(location.slice(location.indexOf('?') + 1));
  must(answer.get('state') === state && answer.get('iss') === options.issuer && answer.get('code'), `answer: ${location}`);
  const body = new URLSearchParams({
    grant_type: 'authorization_code', code: answer.get('code'), redirect_uri: redirectUri, code_verifier: verifier,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion(),
  }).toString();
  const portal = new Browser(http, times); // the portal's back channel carries no cookies
  const token = await portal.send('token', 'POST', '/token', { headers: FORM, body });
  must(token.status === 200, `token: ${token.status} ${token.text.slice(0, 300)}`);
  const issued = JSON.parse(token.text);
  const claims = checkIdToken(issued.id_token, nonce);
  const userinfo = await portal.send('userinfo', 'GET', options.userinfo ?? '/userinfo', {
    headers: { authorization: `Bearer ${issued.access_token}` },
  });
  must(userinfo.status === 200 && JSON.parse(userinfo.text).sub === claims.sub, `userinfo: ${userinfo.status} ${userinfo.text.slice(0, 300)}`);
}

function checkIdToken(token, nonce) {
  const [header, payload, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  must(claims.iss === options.issuer && claims.nonce === nonce && claims.exp > now(), 'id_token: claims');
  must(claims.aud === clientId || claims.aud?.[0] === clientId, 'id_token: aud');
  if (serial++ % VERIFY_EVERY === 0) {
    const { alg, kid } = JSON.parse(Buffer.from(header, 'base64url'));
    must(alg === 'ES256', 'id_token: alg');
    const signed = Buffer.from(`${header}.${payload}`);
    const key = { key: issuerKeys.get(kid), dsaEncoding: 'ieee-p1363' };
    must(crypto.verify('sha256', signed, key, Buffer.from(signature, 'base64url')), 'id_token: signature');
  }
  return claims;
}

// ---- measuring ----
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
function snapshot() {
  const own = process.cpuUsage();
  return {
    at: performance.now(),
    driver: (own.user + own.system) / 1e6,
    cpu: Object.fromEntries(Object.entries(options.pids ?? {}).map(([name, pid]) => [name, cpuSeconds(pid)])),
  };
}
function quantile(sorted, q) {
  return sorted.length ? Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] * 100) / 100 : null;
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
function personOf(number) {
  const offset = options.person_offset ?? 0;
  return options.fresh_persons || shape === 'first' ? `new-${random(9)}` : `person-${offset + (number % options.persons)}`;
}

const results = { measuring: false, logins: 0, whole: [], steps: new Map(), errors: 0, messages: [] };
async function oneLogin(http, number) {
  const times = [];
  const began = performance.now();
  try {
    await login(http, times, personOf(number));
  } catch (error) {
    results.errors += 1;
    if (results.messages.length < 5) results.messages.push(String(error.message));
    return;
  }
  if (!results.measuring) return;
  results.logins += 1;
  results.whole.push(performance.now() - began);
  for (const [step, ms] of times) {
    if (!results.steps.has(step)) results.steps.set(step, []);
    results.steps.get(step).push(ms);
  }
}

async function closedLoop() {
  let number = 0;
  let stopped = false;
  const browsers = Array.from({ length: options.concurrency }, async () => {
    const http = new Client(base, { pipelining: 1, headersTimeout: 15_000 });
    while (!stopped) await oneLogin(http, number++);
    await http.close();
  });
  const window = await measured();
  stopped = true;
  await Promise.all(browsers);
  return window;
}

async function openLoop() {
  const http = new Pool(base, { connections: 128, pipelining: 1, headersTimeout: 15_000 });
  let number = 0;
  let stopped = false;
  let open = 0;
  const began = performance.now();
  let due = began;
  const arrivals = (async () => {
    while (!stopped) {
      while (due <= performance.now()) {
        due += -Math.log(1 - Math.random()) * (1000 / options.rate); // Poisson arrivals
        open += 1;
        oneLogin(http, number++).finally(() => { open -= 1; });
      }
      await pause(Math.max(0, due - performance.now()));
    }
  })();
  const window = await measured();
  stopped = true;
  await arrivals;
  while (open > 0) await pause(5);
  await http.close();
  return window;
}

async function measured() {
  await pause(options.warm_s * 1000);
  results.measuring = true;
  const before = snapshot();
  await pause(options.measure_s * 1000);
  const after = snapshot();
  results.measuring = false;
  return { before, after, logins: results.logins };
}

async function main() {
  const http = new Client(base, { headersTimeout: 15_000 });
  const jwks = await (await http.request({ path: options.jwks ?? '/jwks', method: 'GET' })).body.json();
  issuerKeys = new Map(jwks.keys.map((jwk) => [jwk.kid, crypto.createPublicKey({ key: jwk, format: 'jwk' })]));
  for (let person = 0; person < (options.enrol ?? 0); person += 1) await login(http, [], `person-${person}`, 'first');
  await http.close();
  const { before, after, logins } = await (options.rate ? openLoop() : closedLoop());
  const seconds = (after.at - before.at) / 1000;
  const steps = {};
  for (const [step, list] of [...results.steps, ['login', results.whole]]) {
    const sorted = list.sort((a, b) => a - b);
    steps[step] = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  }
  const spent = Object.fromEntries(Object.keys(before.cpu).map((name) => [name, after.cpu[name] - before.cpu[name]]));
  console.log(JSON.stringify({
    logins, seconds, logins_per_s: logins / seconds,
    cpu_ms: Object.fromEntries(Object.entries(spent).map(([name, s]) => [name, (s * 1000) / logins])),
    busy: Object.fromEntries(Object.entries(spent).map(([name, s]) => [name, s / seconds])),
    driver_busy: (after.driver - before.driver) / seconds,
    steps, errors: results.errors, messages: results.messages,
  }));
}

await main();
