curl -sSf '{{base_url}}/v1/customers?limit=2' -H 'Authorization: Bearer {{api_key}}'
