const answer = await fetch("{{base_url}}/v1/customers?limit=2", {
  headers: { Authorization: "Bearer {{api_key}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
