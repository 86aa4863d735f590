const answer = await fetch("{{base_url}}{{target}}", {
  headers: { requestToken: "{{request_token}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
