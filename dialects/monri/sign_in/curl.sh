target='{{target}}'
body=''
now=$(date +%s)
digest=$(printf '%s' '{{merchant_key}}' "$now" '{{authenticity_token}}' "$target" "$body" |
  openssl dgst -sha512 -r | cut -d ' ' -f 1)
curl -sSf "{{base_url}}$target" \
  -H "Authorization: WP3-v2.1 {{authenticity_token}} $now $digest"
