import base64
import hashlib
import hmac
import json
import time
import urllib.request

target = "{{target}}"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


header = {"alg": "HS256", "typ": "JWT", "ver": 1}
claims = {"sub": "{{user_id}}", "iat": int(time.time()), "requestPath": target, "requestMethod": "GET"}
signed = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
key = base64.b64decode("{{authentication_key}}")
token = signed + b"." + encode(hmac.new(key, signed, hashlib.sha256).digest())

request = urllib.request.Request("{{base_url}}" + target)
request.add_header("Authorization", "Bearer " + token.decode())
request.add_header("Space", "{{space_id}}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
