const answer = await fetch("{{base_url}}/customers?perpage=2", {
  headers: { Authorization: "{{public_key}}", "X-Grant": "{{private_key}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
