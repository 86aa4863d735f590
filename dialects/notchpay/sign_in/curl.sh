curl -sSf '{{base_url}}{{target}}' \
  -H 'Authorization: {{public_key}}' -H 'X-Grant: {{private_key}}'
