const answer = await fetch("{{base_url}}/api/Query/customers/{{entry}}?limitRecord=2", {
  headers: { requestToken: "{{request_token}}" },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
