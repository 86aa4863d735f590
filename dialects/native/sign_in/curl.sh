curl -sSf '{{base_url}}{{target}}' -H 'Authorization: Bearer {{api_key}}'
