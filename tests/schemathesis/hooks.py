"""Signs requests just before they leave, as each API's client would: some signatures are made over the path,
query and body exactly as they are sent, which nothing above this place knows. Only a request whose header says
`to be signed` is signed, so that the checks that take credentials away or spoil them still do."""

import base64
import hashlib
import hmac
import json
import os
import time
from urllib.parse import urlsplit

import requests

API = os.environ["PATRON_API"]
with open(os.environ["PATRON_CREDENTIALS"], encoding="utf-8") as file:
    KEYS = json.load(file)[API]


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def native(_method: str, _target: str, _body: bytes) -> dict:
    return {"Authorization": f"Bearer {KEYS['api_key']}"}


def wallee(method: str, target: str, _body: bytes) -> dict:
    claims = {
        "sub": str(KEYS["user_id"]),
        "iat": int(time.time()),
        "requestPath": target,
        "requestMethod": method,
    }
    parts = [{"alg": "HS256", "typ": "JWT", "ver": 1}, claims]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    key = base64.b64decode(KEYS["authentication_key"])
    signature = base64url(hmac.new(key, signed.encode(), hashlib.sha256).digest())
    return {"Authorization": f"Bearer {signed}.{signature}"}


def verifone(_method: str, _target: str, _body: bytes) -> dict:
    pair = f"{KEYS['user_id']}:{KEYS['api_key']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def monri(_method: str, target: str, body: bytes) -> dict:
    token, stamp = KEYS["authenticity_token"], str(int(time.time()))
    text = f"{KEYS['merchant_key']}{stamp}{token}{target}".encode() + body
    return {"Authorization": f"WP3-v2.1 {token} {stamp} {hashlib.sha512(text).hexdigest()}"}


def payabli(_method: str, _target: str, _body: bytes) -> dict:
    return {"requestToken": KEYS["request_token"]}


def notchpay(_method: str, _target: str, _body: bytes) -> dict:
    return {"Authorization": KEYS["public_key"], "X-Grant": KEYS["private_key"]}


SIGN = globals()[API]
PLACEHOLDER = "to be signed"
send = requests.Session.send


def signed_send(session: requests.Session, request: requests.PreparedRequest, **settings):
    if PLACEHOLDER in request.headers.values():
        url = urlsplit(request.url)
        target = url.path + (f"?{url.query}" if url.query else "")
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        # One that was spoiled stays so beside those that are to be signed.
        for name, value in SIGN(request.method, target, body).items():
            if request.headers.get(name, PLACEHOLDER) == PLACEHOLDER:
                request.headers[name] = value
        # A space that is well formed becomes the one that is there; without one it stays without.
        if "space_id" in KEYS and str(request.headers.get("Space", "")).isdigit():
            request.headers["Space"] = str(KEYS["space_id"])
    return send(session, request, **settings)


requests.Session.send = signed_send
