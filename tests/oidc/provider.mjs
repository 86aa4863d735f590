// A certified provider of OpenID Connect (npm oidc-provider) on this machine, which lies when it is
// told to, and a browser that signs in there. Takes where that is sent back to; prints its port.
//   GET /_browse?url=…   signs "ada" in and answers where the browser was sent to
//   GET /_groups?names=…  what the claim `groups` says from now on, between commas
//   GET /_lie?about=…    what is wrong with the ID tokens from now on; nothing when empty
import { createServer } from 'node:http';
import * as jose from 'jose';
import Provider from 'oidc-provider';

const CALLBACK = process.argv[2];
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

const pairs = {};
for (const alg of ALGORITHMS) {
  pairs[alg] = await jose.generateKeyPair(alg, { extractable: true, crv: alg === 'EdDSA' ? 'Ed25519' : undefined });
}
const jwks = { keys: [] };
for (const alg of ALGORITHMS) {
  jwks.keys.push({ ...(await jose.exportJWK(pairs[alg].privateKey)), kid: alg, alg, use: 'sig' });
}

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const client = (alg, method) => ({
  client_id: `${alg}-${method}`,
  client_secret: method === 'none' ? undefined : 'a secret+with%signs',
  token_endpoint_auth_method: method,
  id_token_signed_response_alg: alg,
  // On this machine in the clear, which only applications on it may be.
  application_type: CALLBACK.startsWith('https:') ? 'web' : 'native',
  redirect_uris: [CALLBACK],
  response_types: ['code'],
  grant_types: ['authorization_code'],
});
let groups = [];
const provider = new Provider(issuer, {
  clients: [
    ...ALGORITHMS.map((alg) => client(alg, 'client_secret_basic')),
    client('ES256', 'none'),
  ],
  jwks,
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'groups'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true, given_name: 'Ada', groups }),
  }),
  features: { devInteractions: { enabled: true } },
  enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
  ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Grant: 60, Interaction: 60, Session: 60 },
});

let about = '';
const part = (value) => jose.base64url.encode(typeof value === 'string' ? value : JSON.stringify(value));

/** A token with one thing wrong, signed with the provider's own key wherever that is possible. */
async function lying(token) {
  const claims = jose.decodeJwt(token);
  const header = jose.decodeProtectedHeader(token);
  const sign = (changed) =>
    new jose.SignJWT({ ...claims, ...changed }).setProtectedHeader(header).sign(pairs[header.alg].privateKey);
  switch (about) {
    case 'iss': return sign({ iss: `${issuer}/` });
    case 'aud': return sign({ aud: 'somebody' });
    case 'audiences': return sign({ aud: [claims.aud, 'somebody'] });
    case 'azp': return sign({ azp: 'somebody' });
    case 'nonce': return sign({ nonce: 'another' });
    case 'stale': return sign({ auth_time: claims.iat - 3600 });
    case 'timeless': return sign({ auth_time: undefined });
    case 'exp': return sign({ exp: claims.iat - 61 });
    case 'none': return `${part({ alg: 'none' })}.${part(claims)}.`;
    case 'HS256': {
      const pem = await jose.exportSPKI(pairs[header.alg].publicKey);
      return new jose.SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: header.kid })
        .sign(new TextEncoder().encode(pem));
    }
    case 'key': {
      const { privateKey } = await jose.generateKeyPair(header.alg, { crv: 'Ed25519' });
      return new jose.SignJWT(claims).setProtectedHeader(header).sign(privateKey);
    }
    case 'claims': {
      const [head, , signature] = token.split('.');
      return `${head}.${part({ ...claims, sub: 'eve' })}.${signature}`;
    }
    default: return token;
  }
}

provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === 'token' && ctx.body?.id_token) {
    ctx.body.id_token = await lying(ctx.body.id_token);
  }
});

/** Follows redirects and answers forms, as somebody would who signs in as ada. */
async function browse(start) {
  const cookies = new Map();
  let [url, form] = [start, null];
  for (let step = 0; step < 20; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { method: form ? 'POST' : 'GET', body: form, redirect: 'manual', headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    const page = await answer.text();
    form = null;
    if (location) {
      url = new URL(location, url).href;
      if (url.startsWith(CALLBACK)) return url;
      continue;
    }
    const action = page.match(/<form[^>]*action="([^"]+)"/)?.[1];
    if (!action) return `no form, ${answer.status}: ${page}`;
    url = new URL(action, url).href;
    const prompt = page.match(/name="prompt" value="([^"]+)"/)[1];
    form = new URLSearchParams({ prompt, login: 'ada', password: 'any' });
  }
  return 'no end';
}

const serve = provider.callback();
server.on('request', async (request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname === '/_browse') return response.end(await browse(url.searchParams.get('url')));
  if (url.pathname === '/_groups') {
    groups = url.searchParams.get('names').split(',');
    return response.end();
  }
  if (url.pathname === '/_lie') {
    about = url.searchParams.get('about');
    return response.end();
  }
  return serve(request, response);
});
console.log(server.address().port);
process.stdin.resume();
process.stdin.on('end', () => process.exit());
