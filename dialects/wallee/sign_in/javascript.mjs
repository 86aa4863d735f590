import { createHmac } from "node:crypto";

const target = "{{target}}";
const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
const iat = Math.floor(Date.now() / 1000);
const claims = { sub: "{{user_id}}", iat, requestPath: target, requestMethod: "GET" };
const signed = `${encode({ alg: "HS256", typ: "JWT", ver: 1 })}.${encode(claims)}`;
const key = Buffer.from("{{authentication_key}}", "base64");
const signature = createHmac("sha256", key).update(signed).digest("base64url");

const answer = await fetch("{{base_url}}" + target, {
  headers: { Authorization: `Bearer ${signed}.${signature}`, Space: "{{space_id}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
