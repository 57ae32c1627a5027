// The frames' hash chain and the session's key. Owns: h0 = SHA-256(nonce), h(i) = SHA-256(h(i-1) || index || t_ms || SHA-256(jpeg)),
// and the ES256 signature over nonce || head || count. The private key never leaves the browser.

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const text = new TextEncoder();

function joined(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
}

function uint32(value) {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value);
  return out;
}

export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

export function base64(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export class SessionKey {
  static async make() {
    const key = new SessionKey();
    key.pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.pair.publicKey);
    key.jwk = { kty, crv, x, y };
    return key;
  }

  async sign(bytes) {
    return base64url(new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, this.pair.privateKey, bytes)));
  }
}

export class FrameChain {
  constructor(nonce) { this.nonce = text.encode(nonce); this.count = 0; }

  /** Add a frame and return it in the form in which it goes up. */
  async add(jpeg, tMs) {
    this.head ??= await sha256(this.nonce);
    const index = this.count;
    this.head = await sha256(joined(this.head, uint32(index), uint32(tMs), await sha256(jpeg)));
    this.count += 1;
    return { index, t_ms: tMs, jpeg: base64(jpeg) };
  }

  async answer(key) {
    const signature = await key.sign(joined(this.nonce, this.head, uint32(this.count)));
    return { frame_count: this.count, chain_head: hex(this.head), signature };
  }
}
