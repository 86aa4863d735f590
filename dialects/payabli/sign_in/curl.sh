curl -sSf '{{base_url}}{{target}}' -H 'requestToken: {{request_token}}'
