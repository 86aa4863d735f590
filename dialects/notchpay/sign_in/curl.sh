curl -sSf '{{base_url}}/customers?perpage=2' \
  -H 'Authorization: {{public_key}}' -H 'X-Grant: {{private_key}}'
