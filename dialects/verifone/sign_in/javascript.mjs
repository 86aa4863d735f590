const path = "{{target}}";
const pair = Buffer.from("{{user_id}}:{{api_key}}").toString("base64");

const answer = await fetch("{{base_url}}" + path, {
  headers: { Authorization: `Basic ${pair}` },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
