target='{{target}}'
encode() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
header=$(printf '{"alg":"HS256","typ":"JWT","ver":1}' | encode)
claims=$(printf '{"sub":"{{user_id}}","iat":%s,"requestPath":"%s","requestMethod":"GET"}' \
  "$(date +%s)" "$target" | encode)
key=$(printf '{{authentication_key}}' | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$(printf '%s.%s' "$header" "$claims" |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | encode)
curl -sSf "{{base_url}}$target" -H 'Space: {{space_id}}' \
  -H "Authorization: Bearer $header.$claims.$signature"
