const path = "/oidc/customer-service/v2/customer?search=created_at=ge=2025-01-01&page_size=2";
const pair = Buffer.from("{{user_id}}:{{api_key}}").toString("base64");

const answer = await fetch("{{base_url}}" + path, {
  headers: { Authorization: `Basic ${pair}` },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
