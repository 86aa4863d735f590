import base64
import urllib.request

path = "{{target}}"
pair = base64.b64encode(b"{{user_id}}:{{api_key}}").decode()

request = urllib.request.Request("{{base_url}}" + path)
request.add_header("Authorization", "Basic " + pair)
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
