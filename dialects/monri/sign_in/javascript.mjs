import { createHash } from "node:crypto";

const [target, body, now] = ["{{target}}", "", Math.floor(Date.now() / 1000)];
const signed = "{{merchant_key}}" + now + "{{authenticity_token}}" + target + body;
const digest = createHash("sha512").update(signed).digest("hex");

const answer = await fetch("{{base_url}}" + target, {
  headers: { Authorization: `WP3-v2.1 {{authenticity_token}} ${now} ${digest}` },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
