"""A mail server for tests. It writes what happens to a file, one JSON object a line.

What it does to a mail stands in the recipient's address: STEP-WHAT, or STEP-WHAT-TIMES for the first mails only. STEP is
mail, rcpt or data; WHAT is a code, stall (no answer), drop (the connection is reset), slow (half a second) or, at data, lost
(it is taken, and the connection reset before the answer). Every other address gets its mail.

    rcpt-550@example.org    data-451-2@example.org    data-stall@example.org
"""

import argparse
import asyncio
import base64
import collections
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

NEVER = 3600


class Record:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")

    def __call__(self, event, **more):
        self.file.write(json.dumps({"event": event, **more}) + "\n")
        self.file.flush()


def parsed(content):
    message = email.message_from_bytes(content, policy=email.policy.default)
    bodies = {}
    for part in message.walk():
        if not part.is_multipart():
            bodies[part.get_content_type()] = part.get_content().replace("\r\n", "\n")
    headers = [[name, str(value)] for name, value in message.items()]
    defects = [str(defect) for part in message.walk() for defect in part.defects]
    return {"headers": headers, "bodies": bodies, "type": message.get_content_type(), "defects": defects}


class Handler:
    def __init__(self, record):
        self.record = record
        self.done = collections.Counter()

    async def act(self, step, server, addresses):
        """The answer that the script asks for, if it asks for one."""
        for address in addresses:
            words = address.split("@")[0].split("-")
            if words[0] != step or len(words) < 2:
                continue
            if len(words) > 2 and self.done[address] >= int(words[2]):
                continue
            self.done[address] += 1
            what = words[1]
            self.record("acted", step=step, to=address, what=what)
            if what == "stall":
                await asyncio.sleep(NEVER)
            elif what in ("drop", "lost"):
                server.transport.abort()
                await asyncio.sleep(NEVER)
            elif what == "slow":
                await asyncio.sleep(0.5)
            else:
                return f"{what} 5.1.1 scripted for {address}"
        return None

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self.act("mail", server, [address]) or await self.act("rcpt", server, [address])
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        lost = [address for address in envelope.rcpt_tos if address.startswith("data-lost")]
        if not lost:
            answer = await self.act("data", server, envelope.rcpt_tos)
            if answer:
                return answer
        self.record(
            "mail",
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            tls=server.over_tls,
            user=server.user,
            connection=server.number,
            raw=envelope.content.decode("latin-1"),
            **parsed(envelope.content),
        )
        if lost:
            await self.act("data", server, lost)
        return "250 2.0.0 OK: queued as 4711"


class Server(SMTP):
    made = 0

    def __init__(self, handler, record, arguments, starttls):
        self.record, self.arguments, self.user, self.number = record, arguments, None, None
        super().__init__(
            handler,
            hostname="sink.test",
            tls_context=starttls,
            # It offers what it should not, to see whether somebody takes it.
            auth_require_tls=False,
            auth_required=arguments.password is not None,
            authenticator=self.authenticate,
        )

    @property
    def over_tls(self):
        return self.transport.get_extra_info("sslcontext") is not None

    def authenticate(self, server, session, envelope, mechanism, data):
        good = data.login.decode() == self.arguments.user and data.password.decode() == self.arguments.password
        self.user = data.login.decode()
        return AuthResult(success=good, handled=False)

    def connection_lost(self, error):
        if self.number is not None:
            self.record("closed", connection=self.number)
        super().connection_lost(error)

    async def smtp_EHLO(self, hostname):
        # Whoever only looks whether the port is open is no client; and after STARTTLS a client says it again.
        if self.number is None:
            Server.made += 1
            self.number = Server.made
            self.record("connected", connection=self.number)
        await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg):
        self.record("auth", tls=self.over_tls)
        if self.arguments.echo:
            said = base64.b64decode(arg.split()[-1]).decode().split("\0")[-1]
            await self.push(f"501 5.5.2 cannot understand {arg}, nor {said}")
            return
        await super().smtp_AUTH(arg)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--echo", action="store_true", help="refuse each AUTH, repeating what was said")
    arguments = parser.parse_args()
    record = Record(arguments.record)
    context = None
    if arguments.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.cert, arguments.key)
    handler = Handler(record)
    starttls = context if arguments.tls == "starttls" else None
    implicit = context if arguments.tls == "implicit" else None
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(handler, record, arguments, starttls), "127.0.0.1", arguments.port, ssl=implicit
    )
    async with server:
        await server.serve_forever()


asyncio.run(main())
