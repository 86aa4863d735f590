import urllib.request

request = urllib.request.Request("{{base_url}}/api/Query/customers/{{entry}}?limitRecord=2")
request.add_header("requestToken", "{{request_token}}")
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())
