curl -sSf '{{base_url}}/api/Query/customers/{{entry}}?limitRecord=2' -H 'requestToken: {{request_token}}'
