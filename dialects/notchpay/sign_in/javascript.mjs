const answer = await fetch("{{base_url}}{{target}}", {
  headers: { Authorization: "{{public_key}}", "X-Grant": "{{private_key}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
