import urllib.request

request = urllib.request.Request("{{base_url}}/v1/customers?limit=2")
request.add_header("Authorization", "Bearer {{api_key}}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
