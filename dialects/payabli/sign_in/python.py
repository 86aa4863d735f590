import urllib.request

request = urllib.request.Request("{{base_url}}{{target}}")
request.add_header("requestToken", "{{request_token}}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
