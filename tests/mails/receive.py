"""A server for mails on this machine, by aiosmtpd: receive.py plain|starttls|tls CERTIFICATE KEY.

Says its port, then one line of JSON for each mail it takes. Ends with its input."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

safety, certificate, key = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "envelope": {"from": envelope.mail_from, "to": envelope.rcpt_tos},
            "from": str(mail["From"]), "to": str(mail["To"]), "subject": str(mail["Subject"]),
            "text": mail.get_content(), "encrypted": session.ssl is not None or safety == "tls",
            "signed_in": bool(session.authenticated),
            "defects": [str(defect) for part in mail.walk() for defect in part.defects],
        }), flush=True)
        return "250 taken"


def sign_in(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"shop", b"hush"))


context = None
if safety != "plain":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)


def factory():
    return SMTP(
        Handler(), hostname="localhost", enable_SMTPUTF8=True, authenticator=sign_in,
        auth_required=safety != "plain", auth_require_tls=safety == "starttls",
        tls_context=context if safety == "starttls" else None, require_starttls=safety == "starttls",
    )


async def serve():
    loop = asyncio.get_running_loop()
    wrapped = context if safety == "tls" else None
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(serve())
