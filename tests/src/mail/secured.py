"""A mail server that takes nothing without TLS and a login.

secured.py DIR PORT starttls|tls USER PASSWORD

DIR has cert.pem and key.pem, and gets the maildir "mail".
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, port, mode, user, password = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
handler = Mailbox(os.path.join(folder, "mail"))
wanted = LoginPassword(user.encode(), password.encode())


def authenticate(_server, _session, _envelope, _mechanism, given):
    # What is not handled is answered with 535 by the server.
    return AuthResult(success=given == wanted, handled=given == wanted)


def connection():
    starttls = mode == "starttls"
    return SMTP(
        handler,
        tls_context=context if starttls else None,
        require_starttls=starttls,
        auth_required=True,
        # Where all is TLS, it knows of none to wait for.
        auth_require_tls=starttls,
        authenticator=authenticate,
    )


async def main():
    tls = context if mode == "tls" else None
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", int(port), ssl=tls)
    await server.serve_forever()


asyncio.run(main())
