// node-oidc-provider as a peer: automatic login and consent at /interaction, private_key_jwt with ES256, PKCE required.
//   node provider.mjs PORT memory|redis CLIENT_JWK_FILE CLIENT_ID REDIRECT_URI [REDIS_PORT]
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, kind, jwkFile, clientId, redirectUri, redisPort] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const signing = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const adapter = kind === 'redis' ? (await import('./redis_adapter.mjs')).redisAdapter(Number(redisPort)) : undefined;

const provider = new Provider(issuer, {
  ...(adapter ? { adapter } : {}),
  clients: [{
    client_id: clientId,
    redirect_uris: [redirectUri],
    application_type: 'native', // a loopback http address is taken of native applications only
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    jwks: { keys: [JSON.parse(readFileSync(jwkFile))] },
  }],
  jwks: { keys: [{ ...signing, kid: 'bench', use: 'sig', alg: 'ES256' }] },
  cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
  claims: { profile: ['name', 'birthdate', 'gender'] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  clientAuthMethods: ['private_key_jwt'],
  ttl: { AccessToken: 900, AuthorizationCode: 60, IdToken: 600, Interaction: 1200, Session: 28800, Grant: 28800 },
  async findAccount(_, sub) {
    return { accountId: sub, claims: async () => ({ sub, name: 'CHAN, Ka Yan', birthdate: '1990-02-14', gender: 'female' }) };
  },
});

async function interact(request, response, person) {
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: person, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId: person }, consent: { grantId } });
}

const app = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return app(request, response);
  const person = new URLSearchParams(request.url.slice(request.url.indexOf('?') + 1)).get('person');
  return interact(request, response, person).catch((error) => {
    response.statusCode = 500;
    response.end(String(error));
  });
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
