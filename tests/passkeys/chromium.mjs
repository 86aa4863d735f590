// A person in Chromium, with an authenticator that Chromium itself emulates (the domain WebAuthn of the
// DevTools protocol): makes a passkey and signs in by it, from a page of the server's own.
// Takes the URL of a sandbox and the program to start; prints what was done, one line each.
import { chromium } from 'playwright-core';

const [base, executablePath] = process.argv.slice(2);
const OWNER = { email: 'owner@sandbox.example', password: 'patron sandbox owner' };

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await (await browser.newContext()).newPage();
const client = await page.context().newCDPSession(page);
await client.send('WebAuthn.enable');
const { authenticatorId } = await client.send('WebAuthn.addVirtualAuthenticator', {
  options: {
    protocol: 'ctap2', transport: 'internal', hasResidentKey: true,
    hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  },
});
const verified = (isUserVerified) =>
  client.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });

function check(what, is) {
  if (!is) throw new Error(what);
  console.log(what);
}

/** A call as a page of the server makes it; its status and document. */
const call = (method, path, body) =>
  page.evaluate(async ([method, path, body]) => {
    const headers = { 'Content-Type': 'application/json' };
    if (globalThis.csrf) headers['Patron-CSRF'] = globalThis.csrf;
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    const json = text ? JSON.parse(text) : null;
    if (json?.csrf) globalThis.csrf = json.csrf;
    return { status: answer.status, json };
  }, [method, path, body]);

/** What the browser makes of options; null where its person refuses or cannot. */
const made = (options) =>
  page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey ?? options);
    return navigator.credentials.create({ publicKey }).then((made) => made.toJSON(), () => null);
  }, options);
const answered = (options) =>
  page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey ?? options);
    return navigator.credentials.get({ publicKey }).then((got) => got.toJSON(), () => null);
  }, options);

try {
  await page.goto(`${base}/console/invite`);
  check('a password signs in', (await call('POST', '/v1/sign-in/password', OWNER)).status === 200);
  let options = await call('POST', '/v1/me/passkeys/options');
  check('the browser gets what it makes a passkey from', options.status === 200);
  await verified(false);
  check('an authenticator that verifies nobody makes none', (await made(options.json)) === null);
  await verified(true);
  const credential = await made(options.json);
  check('the browser makes a passkey', credential !== null);
  const added = await call('POST', '/v1/me/passkeys', { name: 'Laptop', credential });
  check('the server takes it', added.status === 201);
  const again = await call('POST', '/v1/me/passkeys', { name: 'Laptop', credential });
  check('and once', again.status >= 400 && again.status < 500);
  options = await call('POST', '/v1/me/passkeys/options');
  check('the same authenticator makes no second one', (await made(options.json)) === null);
  check('signed out', (await call('POST', '/v1/sign-out')).status === 204);
  check('nobody is signed in', (await call('GET', '/v1/me')).status === 401);

  options = await call('POST', '/v1/sign-in/passkey/options');
  const proof = await answered(options.json);
  check('the browser answers without an address', proof !== null);
  const altered = structuredClone(proof);
  altered.response.signature = altered.response.signature.replace(/^.{8}/, 'AAAAAAAA');
  const forged = await call('POST', '/v1/sign-in/passkey', { credential: altered });
  check('a forged answer is refused', forged.status === 401);
  const opened = await call('POST', '/v1/sign-in/passkey', { credential: proof });
  check('a passkey signs in', opened.status === 200);
  check('by both factors', opened.json.level === 2);
  const replayed = await call('POST', '/v1/sign-in/passkey', { credential: proof });
  check('an answer is good once', replayed.status === 401);
  const me = await call('GET', '/v1/me');
  check('it is the same person', me.json?.user?.email === OWNER.email);

  options = await call('POST', '/v1/step-up/passkey/options');
  const passkey = await answered(options.json);
  check('a passkey is a fresh proof', (await call('POST', '/v1/step-up', { passkey })).status === 200);

  // A page of another origin, though it is the same machine, cannot use it.
  await page.goto(`${base.replace('localhost', '127.0.0.1')}/console/invite`);
  options = await call('POST', '/v1/sign-in/passkey/options');
  check('another host gets no answer of the browser', (await answered(options.json)) === null);
} finally {
  await browser.close();
}
