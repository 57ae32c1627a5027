// A relying party made with npm `openid-client`, driven by a test over JSON lines.
//
// Owns:    how that library is used, one function for each feature; what the library itself verifies is not verified again.
// Leaves:  the person at the browser, and what the answers must be, to the test (test_openid_client.py).
// Wire:    first line in: what the test gives. Out: {"ask": …} waits for a line with the answer; {"result": …} or {"error": …} ends.

import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import * as client from 'openid-client'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const read = async () => JSON.parse((await lines.next()).value)
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

async function ask(what, details) {
  tell({ ask: what, ...details })
  return (await read()).answer
}

// ---- what every case begins and ends with

const KEYS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
}

async function signingKey({ alg, kid, ...jwk }) {
  return { key: await crypto.subtle.importKey('jwk', jwk, KEYS[alg], false, ['sign']), kid }
}

async function authentication(given) {
  if (given.secret && given.method === 'client_secret_post') return client.ClientSecretPost(given.secret)
  if (given.secret) return client.ClientSecretBasic(given.secret)
  if (given.key) return client.PrivateKeyJwt(await signingKey(given.key))
  return client.None()
}

async function discover(given) {
  const made = await client.discovery(new URL(given.issuer), given.client_id, given.metadata, await authentication(given))
  client.enableNonRepudiationChecks(made) // signatures are verified even where TLS would do (Core cl. 3.1.3.7 (6))
  return made
}

// Node's own fetch shows no client certificate; the library takes another one.
function fetchWith({ ca, cert, key }) {
  const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
  return (url, { method, headers, body }) =>
    new Promise((resolve, reject) => {
      const asked = httpsRequest(url, { ...files, method, headers }, async (answer) => {
        const chunks = await answer.toArray()
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: answer.headers }))
      })
      asked.on('error', reject)
      asked.end(body?.toString())
    })
}

async function newRequest(given) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
  }
  const parameters = {
    redirect_uri: given.redirect_uri,
    scope: given.scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...given.parameters,
  }
  return { checks, parameters }
}

async function signIn(config, given, { build = client.buildAuthorizationUrl, DPoP } = {}) {
  const { checks, parameters } = await newRequest(given)
  const url = await build(config, parameters)
  const location = await ask('login', { url: url.href })
  const options = DPoP && { DPoP }
  const tokens = await client.authorizationCodeGrant(config, new URL(location), checks, undefined, options)
  return { tokens, url: url.href, location }
}

const summary = ({ tokens, url, location }) => ({ tokens, claims: tokens.claims(), url, location })

async function refusal(attempt) {
  try {
    await attempt
    return null
  } catch (error) {
    return { code: error.code, error: error.error, status: error.status, cause: error.cause?.error }
  }
}

const dpop = async (config) => client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

// ---- the cases

const cases = {
  async code(given) {
    const config = await discover(given)
    const signedIn = await signIn(config, given)
    const claims = signedIn.tokens.claims()
    const userinfo = await client.fetchUserInfo(config, signedIn.tokens.access_token, claims.sub)
    return { ...summary(signedIn), userinfo, metadata: config.serverMetadata() }
  },

  async wrong_subject(given) {
    const config = await discover(given)
    const { tokens } = await signIn(config, given)
    return { refused: await refusal(client.fetchUserInfo(config, tokens.access_token, 'somebody-else')) }
  },

  async code_twice(given) {
    const config = await discover(given)
    const { checks, parameters } = await newRequest(given)
    const location = new URL(await ask('login', { url: client.buildAuthorizationUrl(config, parameters).href }))
    const { access_token } = await client.authorizationCodeGrant(config, location, checks)
    const refused = await refusal(client.authorizationCodeGrant(config, location, checks))
    return { refused, afterwards: await client.tokenIntrospection(config, access_token) }
  },

  async denied(given) {
    const config = await discover(given)
    const { checks, parameters } = await newRequest(given)
    const location = await ask('login', { url: client.buildAuthorizationUrl(config, parameters).href })
    return { refused: await refusal(client.authorizationCodeGrant(config, new URL(location), checks)) }
  },

  async par(given) {
    return summary(await signIn(await discover(given), given, { build: client.buildAuthorizationUrlWithPAR }))
  },

  async dpop(given) {
    const config = await discover(given)
    const DPoP = await dpop(config)
    const signedIn = await signIn(config, given, { DPoP })
    const { access_token, token_type } = signedIn.tokens
    const { sub } = signedIn.tokens.claims()
    const userinfo = await client.fetchUserInfo(config, access_token, sub, { DPoP })
    const bearer = await fetch(config.serverMetadata().userinfo_endpoint, {
      headers: { authorization: `Bearer ${access_token}` },
    })
    const stranger = await refusal(client.fetchUserInfo(config, access_token, sub, { DPoP: await dpop(config) }))
    const refreshed = await client.refreshTokenGrant(config, signedIn.tokens.refresh_token, undefined, { DPoP })
    const again = await client.fetchUserInfo(config, refreshed.access_token, sub, { DPoP })
    return { ...summary(signedIn), token_type, userinfo, bearer: bearer.status, stranger, again }
  },

  async jar(given) {
    const config = await discover(given)
    const key = await signingKey(given.key)
    const build = (config, parameters) => client.buildAuthorizationUrlWithJAR(config, parameters, key)
    return summary(await signIn(config, given, { build }))
  },

  async jarm(given) {
    const config = await discover(given)
    client.useJwtResponseMode(config)
    return summary(await signIn(config, given))
  },

  async fapi2(given) {
    const config = await discover(given)
    const DPoP = await dpop(config)
    const build = (config, parameters) => client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP })
    const signedIn = await signIn(config, given, { build, DPoP })
    const userinfo = await client.fetchUserInfo(config, signedIn.tokens.access_token, signedIn.tokens.claims().sub, { DPoP })
    const { parameters } = await newRequest(given)
    const unpushed = await ask('login', { url: client.buildAuthorizationUrl(config, parameters).href })
    return { ...summary(signedIn), userinfo, unpushed }
  },

  async fapi2_mutual_tls(given) {
    const options = { [client.customFetch]: fetchWith(given.tls) }
    const config = await client.discovery(
      new URL(given.issuer), given.client_id, { use_mtls_endpoint_aliases: true }, client.TlsClientAuth(), options,
    )
    client.enableNonRepudiationChecks(config)
    const signedIn = await signIn(config, given, { build: client.buildAuthorizationUrlWithPAR })
    const userinfo = await client.fetchUserInfo(config, signedIn.tokens.access_token, signedIn.tokens.claims().sub)
    const introspection = await client.tokenIntrospection(config, signedIn.tokens.access_token)
    const stolen = await fetch(config.serverMetadata().userinfo_endpoint, {
      headers: { authorization: `Bearer ${signedIn.tokens.access_token}` },
    })
    return { ...summary(signedIn), userinfo, introspection, stolen: stolen.status, metadata: config.serverMetadata() }
  },

  async oauth_metadata(given) {
    const config = await client.discovery(
      new URL(given.issuer), given.client_id, undefined, await authentication(given), { algorithm: 'oauth2' },
    )
    return { metadata: config.serverMetadata() }
  },

  async fapi2_message_signing(given) {
    const config = await discover(given)
    client.useJwtResponseMode(config)
    const DPoP = await dpop(config)
    const key = await signingKey(given.key)
    const build = async (config, parameters) => {
      const { searchParams } = await client.buildAuthorizationUrlWithJAR(config, parameters, key)
      return client.buildAuthorizationUrlWithPAR(config, searchParams, { DPoP })
    }
    const signedIn = await signIn(config, given, { build, DPoP })
    const introspection = await client.tokenIntrospection(config, signedIn.tokens.access_token)
    const { parameters } = await newRequest(given)
    const unsigned = await refusal(client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP }))
    return { ...summary(signedIn), introspection, unsigned }
  },

  async refresh(given) {
    const config = await discover(given)
    const signedIn = await signIn(config, given)
    const first = signedIn.tokens.refresh_token
    const refreshed = await client.refreshTokenGrant(config, first)
    const userinfo = await client.fetchUserInfo(config, refreshed.access_token, signedIn.tokens.claims().sub)
    const reused = await refusal(client.refreshTokenGrant(config, first))
    const family = await refusal(client.refreshTokenGrant(config, refreshed.refresh_token))
    return { ...summary(signedIn), refreshed, again: refreshed.claims(), userinfo, reused, family }
  },

  async client_credentials(given) {
    const config = await discover(given)
    const tokens = await client.clientCredentialsGrant(config, given.parameters)
    return { tokens, introspection: await client.tokenIntrospection(config, tokens.access_token) }
  },

  async device(given) {
    const config = await discover(given)
    const opened = await client.initiateDeviceAuthorization(config, { scope: given.scope })
    const polled = client.pollDeviceAuthorizationGrant(config, opened) // asks before the person has answered, too
    await ask('device', { user_code: opened.user_code, verification_uri: opened.verification_uri })
    const tokens = await polled
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    return { opened, tokens, claims: tokens.claims(), userinfo }
  },

  async ciba(given) {
    const config = await discover(given)
    const known = await signIn(config, given) // the portal must know the person already
    const { sub } = known.tokens.claims()
    const opened = await client.initiateBackchannelAuthentication(config, {
      scope: given.scope,
      login_hint: sub,
      binding_message: 'W4-SCT',
    })
    const polled = client.pollBackchannelAuthenticationGrant(config, opened)
    await ask('approve', { auth_req_id: opened.auth_req_id })
    const tokens = await polled
    return { sub, opened, tokens, claims: tokens.claims() }
  },

  async token_exchange(given) {
    const config = await discover(given)
    const signedIn = await signIn(config, given)
    const type = 'urn:ietf:params:oauth:token-type:access_token'
    const exchanged = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: signedIn.tokens.access_token,
      subject_token_type: type,
      requested_token_type: type,
      resource: `${given.issuer}/api/v1/signing`,
    })
    const introspection = await client.tokenIntrospection(config, exchanged.access_token)
    return { ...summary(signedIn), exchanged, introspection }
  },

  async introspection(given) {
    const config = await discover(given)
    const { tokens } = await signIn(config, given)
    const active = await client.tokenIntrospection(config, tokens.access_token)
    const unknown = await client.tokenIntrospection(config, 'no-such-token')
    return { active, unknown, claims: tokens.claims() }
  },

  async revocation(given) {
    const config = await discover(given)
    const { tokens } = await signIn(config, given)
    await client.tokenRevocation(config, tokens.access_token)
    await client.tokenRevocation(config, 'no-such-token') // is no error (RFC 7009 cl. 2.2)
    const refused = await refusal(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub))
    return { refused, introspection: await client.tokenIntrospection(config, tokens.access_token) }
  },

  async logout(given) {
    const config = await discover(given)
    const { tokens } = await signIn(config, given)
    const url = client.buildEndSessionUrl(config, {
      post_logout_redirect_uri: given.post_logout_redirect_uri,
      id_token_hint: tokens.id_token,
      state: 'bye-1',
    })
    const location = await ask('logout', { url: url.href })
    const { checks, parameters } = await newRequest({ ...given, parameters: { prompt: 'none' } })
    const silent = new URL(await ask('login', { url: client.buildAuthorizationUrl(config, parameters).href }))
    return { location, silent: await refusal(client.authorizationCodeGrant(config, silent, checks)) }
  },

  async encrypted(given) {
    const config = await discover(given)
    const algorithm = { name: 'ECDH', namedCurve: 'P-256' }
    const key = await crypto.subtle.importKey('jwk', given.decryption_key, algorithm, false, ['deriveBits'])
    client.enableDecryptingResponses(config, [given.enc], { key, kid: given.decryption_key.kid })
    if (given.jarm) client.useJwtResponseMode(config)
    const signedIn = await signIn(config, given)
    const userinfo = await client.fetchUserInfo(config, signedIn.tokens.access_token, signedIn.tokens.claims().sub)
    const signed = client.getDecryptedResponses(signedIn.tokens)
    return { ...summary(signedIn), userinfo, signed }
  },

  async registration(given) {
    const metadata = given.registration
    const options = { initialAccessToken: given.initial_access_token }
    // the library's own default is client_secret_post; a client_secret_basic of RFC 7591's default must be named
    const method = given.method === 'client_secret_post' ? undefined : client.ClientSecretBasic()
    const config = await client.dynamicClientRegistration(new URL(given.issuer), metadata, method, options)
    client.enableNonRepudiationChecks(config)
    const signedIn = await signIn(config, given)
    return { ...summary(signedIn), registered: config.clientMetadata() }
  },

  async step_up(given) {
    const config = await discover(given)
    const { tokens } = await signIn(config, given)
    const first = tokens.claims()
    const again = await signIn(config, { ...given, parameters: { max_age: '0', id_token_hint: tokens.id_token } })
    return { first, ...summary(again) }
  },
}

try {
  const given = await read()
  tell({ result: await cases[given.case](given) })
  process.exit(0)
} catch (error) {
  const { name, message, code, error: oauth, error_description } = error
  tell({ error: { name, message, code, oauth, error_description, cause: String(error.cause?.message ?? error.cause ?? '') } })
  process.exit(1)
}
