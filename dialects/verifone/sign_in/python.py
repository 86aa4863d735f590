import base64
import urllib.request

path = "/oidc/customer-service/v2/customer?search=created_at=ge=2025-01-01&page_size=2"
pair = base64.b64encode(b"{{user_id}}:{{api_key}}").decode()

request = urllib.request.Request("{{base_url}}" + path)
request.add_header("Authorization", "Basic " + pair)
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
