import hashlib
import time
import urllib.request

target, body, now = "{{target}}", "", str(int(time.time()))
signed = "{{merchant_key}}" + now + "{{authenticity_token}}" + target + body
digest = hashlib.sha512(signed.encode()).hexdigest()

request = urllib.request.Request("{{base_url}}" + target)
request.add_header("Authorization", f"WP3-v2.1 {{authenticity_token}} {now} {digest}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
