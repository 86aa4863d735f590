curl -sSf '{{base_url}}/oidc/customer-service/v2/customer?search=created_at=ge=2025-01-01&page_size=2' \
  -u '{{user_id}}:{{api_key}}'
