curl -sSf '{{base_url}}{{target}}' \
  -u '{{user_id}}:{{api_key}}'
