import urllib.request

request = urllib.request.Request("{{base_url}}{{target}}")
request.add_header("Authorization", "{{public_key}}")
request.add_header("X-Grant", "{{private_key}}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
