// Drives notchpay.js 1.0.1 against a server.
//
//     node notchpay_sdk.mjs --credentials FILE
//
// FILE is the JSON that `patron sandbox --print` prints (the whole of it, or its `notchpay` part).
// The SDK offers payments only and has no customer call, so what is tried here is its transport:
// its headers, its bodies, `perpage`, and its reading of answers. It is written for browsers and has
// its host built in, so `window.fetch` is replaced by one that changes the host, and `/payments`
// for `/customers`. Prints `N passed, M failed`; ends with 1 when a check failed.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const at = process.argv.indexOf('--credentials');
if (at < 0) {
  console.error('usage: notchpay_sdk.mjs --credentials FILE');
  process.exit(2);
}
const printed = JSON.parse(readFileSync(process.argv[at + 1], 'utf8'));
const keys = printed.notchpay ?? printed;

const calls = [];
globalThis.window = {
  fetch: async (url, init) => {
    const path = url.replace('https://api.notchpay.co', '').replace('/payments', '/customers');
    const answer = await fetch(keys.base_url + path, init);
    calls.push({ path, method: init.method, status: answer.status, headers: answer.headers });
    return answer;
  },
};
globalThis.self = globalThis;

// Looked for beside this file, then where the command is run.
function load() {
  const places = [import.meta.url, pathToFileURL(process.cwd() + '/').href];
  for (const place of places) {
    try {
      return createRequire(place)('notchpay.js');
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  throw new Error('notchpay.js is not installed: npm install notchpay.js@1.0.1');
}

let passed = 0;
let failed = 0;
function check(name, holds) {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`FAILED ${name}`);
  }
}

const loaded = load();
const NotchPay = loaded.default ?? loaded;
const sdk = NotchPay(keys.public_key);
check('the SDK has no customer call', sdk.customers === undefined);

const post = (body) =>
  fetch(`${keys.base_url}/customers`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: keys.public_key },
    body: JSON.stringify(body),
  }).then((answer) => answer.json());
const mark = Math.random().toString(36).slice(2);
const first = (await post({ email: `${mark}.1@example.org`, name: 'Awa' })).customer;
const second = (await post({ phone: '237670000000', name: 'Paul' })).customer;

const list = await sdk.payments.listPayments({ perpage: 1, page: 2 });
check('list: perpage', list.items.length === 1 && list.selected === 1);
check('list: page', list.current_page === 2 && list.items[0].id === first.id);
check('list: data', JSON.stringify(list.data) === JSON.stringify(list.items));

const seen = await sdk.payments.verifyAndFetchPayment(second.id);
check('retrieve', seen.code === 202 && seen.customer.phone === '+237670000000');
check('retrieve: reference', seen.customer.reference === seen.customer.id);

// The SDK's PUT carries {channel, data}: no member of a customer.
const nothing = await sdk.payments.completePayment(second.id, {
  channel: 'cm.mtn',
  data: { phone: '+237670000000' },
});
check('update with nothing', nothing.code === 422 && Array.isArray(nothing.errors.email));

const gone = await sdk.payments.cancelPayment(second.id);
check('delete', gone.code === 202 && gone.message === 'Customer deleted successfully');
const missing = await sdk.payments.verifyAndFetchPayment(second.id);
check('deleted', missing.code === 404 && missing.message === 'Customer not found');

const formatted = NotchPay(keys.public_key, { formatedResponse: true });
const shaped = await formatted.payments.listPayments({});
check('formatted', shaped.status === 200 && shaped.data.code === 200);

const stranger = NotchPay('pk_test.nobody');
const refused = await stranger.payments.listPayments({});
check('wrong key', refused.code === 401 && refused.message === 'Invalid API key');

const limited = calls.every((call) => call.headers.get('x-ratelimit-reset') !== null);
check('every answer has the rate limit headers', limited);
check('methods', calls.map((call) => call.method).join() === 'GET,GET,PUT,DELETE,GET,GET,GET');

await fetch(`${keys.base_url}/customers/${first.id}`, {
  method: 'DELETE',
  headers: { Authorization: keys.public_key },
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
