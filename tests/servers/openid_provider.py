"""The npm package `oidc-provider`: an OpenID provider that others wrote and had certified, with made-up accounts.

It asks for a name and takes any password, as it does out of the box, and then for consent. On demand it turns bad: the
ID tokens that it hands out are then forged as a test says, and so is its set of keys.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2

from tests.servers import npm
from tests.servers.certificates import Certificates, make_certificates

CLIENT_ID = "alliance-inbox"
CLIENT_SECRET = "a secret that only the provider and these pages know"
PATIENCE = 30.0
_SCRIPT = """
import https from 'node:https'
import readline from 'node:readline'
import { createPublicKey, generateKeyPairSync, randomBytes, sign, createHmac } from 'node:crypto'
import { Provider, interactionPolicy } from 'oidc-provider'

for (const level of ['info', 'warn']) console[level] = () => {}
// Its own pages know no choice of accounts: whoever is asked to choose signs in anew.
const { Check, Prompt, base } = interactionPolicy
const policy = base()
const choosing = new Prompt({ name: 'select_account', requestable: true })
choosing.checks.length = 0
policy.add(choosing)
policy.get('login').checks.add(new Check('chooses', 'an account is to be chosen', ({ oidc }) =>
  oidc.prompts.has('select_account') && !oidc.result?.login && !oidc.route.endsWith('resume')))

const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...own.privateKey.export({ format: 'jwk' }), kid: 'own', use: 'sig', alg: 'RS256' }
const otherJwk = { ...other.publicKey.export({ format: 'jwk' }), kid: 'other', use: 'sig', alg: 'RS256' }
const plain = value => Buffer.from(JSON.stringify(value)).toString('base64url')

function forged(token, { claims = {}, drop = [], alg = 'RS256', kid = 'own', key = 'own' }, secret) {
  const payload = { ...JSON.parse(Buffer.from(token.split('.')[1], 'base64url')), ...claims }
  for (const name of drop) delete payload[name]
  const content = `${plain({ alg, kid, typ: 'JWT' })}.${plain(payload)}`
  if (alg === 'none') return `${content}.`
  if (alg === 'HS256') {
    const shared = key === 'public' ? own.publicKey.export({ type: 'spki', format: 'pem' }) : secret
    return `${content}.${createHmac('sha256', shared).update(content).digest('base64url')}`
  }
  const { privateKey } = key === 'own' ? own : other
  return `${content}.${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`
}

const lines = readline.createInterface({ input: process.stdin })
lines.on('close', () => process.exit())
lines.on('line', line => {
  const { certificate, key, accounts, client, inIdToken } = JSON.parse(line)
  const issuer = `https://127.0.0.1:${process.argv[1]}`
  let badness = {}
  const provider = new Provider(issuer, {
    clients: [client],
    jwks: { keys: [jwk] },
    claims: { email: ['email', 'email_verified'], profile: ['name', 'preferred_username', 'upn', 'hd', 'tid'] },
    conformIdTokenClaims: !inIdToken,
    cookies: { keys: [randomBytes(32).toString('hex')] },
    interactions: { policy },
    features: { rpInitiatedLogout: { enabled: true } },
    findAccount: (ctx, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  })
  provider.use(async (ctx, next) => {
    if (ctx.path === '/turn-bad') {
      const parts = []
      for await (const part of ctx.req) parts.push(part)
      badness = JSON.parse(Buffer.concat(parts))
      ctx.status = 204
      return
    }
    if (badness.status && ctx.path === badness.path) {
      ctx.status = badness.status
      ctx.set('Location', 'https://elsewhere.example/')
      ctx.body = badness.body ?? ''
      return
    }
    await next()
    if (badness.token !== undefined && ctx.path === '/token' && ctx.body?.id_token) {
      const { token } = badness
      const id_token = typeof token === 'string' ? token : forged(ctx.body.id_token, token, client.client_secret)
      ctx.body = { ...ctx.body, id_token }
    }
    if (badness.access && ctx.path === '/token') ctx.body = { ...ctx.body, ...badness.access }
    if (badness.keys && ctx.path === '/jwks') ctx.body = { keys: badness.keys === 'other' ? [otherJwk] : badness.keys }
    if (badness.document && ctx.path.startsWith('/.well-known/')) ctx.body = { ...ctx.body, ...badness.document }
  })
  https.createServer({ cert: certificate, key }, provider.callback()).listen(Number(process.argv[1]))
})
"""


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """A running provider."""

    issuer: str
    authority: Path
    """PEM file of who signed its certificate."""

    def turn_bad(self, **badness: Any) -> None:
        """From now on: `token` (claims, drop, alg, kid, key; or any text) says how ID tokens are forged, `access` goes
        over what stands beside them, `keys` is the set of keys ("other" for one that it does not sign with), `document`
        goes over the discovery document, and `status`, `path` and `body` answer one path. Nothing given: it behaves
        again."""
        with self.browser() as http:
            http.post(f"{self.issuer}/turn-bad", json=badness).raise_for_status()

    def browser(self) -> httpx2.Client:
        """A browser that trusts it, with cookies of its own."""
        trusted = ssl.create_default_context(cafile=str(self.authority))
        return httpx2.Client(verify=trusted, timeout=PATIENCE, trust_env=False)

    def log_in(self, url: str, account: str, http: httpx2.Client | None = None) -> str:
        """What a person does whose browser was sent to `url`: says who they are, and consents. Returns the address that
        the browser is sent on to outside of the provider."""
        with http or self.browser() as browser:
            while url.startswith(self.issuer):
                answer = browser.get(url)
                if answer.status_code == 200:
                    action, fields = _form(answer.text)
                    if "login" in fields:
                        fields |= {"login": account, "password": "any"}
                    answer = browser.post(urljoin(url, action), data=fields)
                assert answer.is_redirect, (answer.status_code, answer.text[:500])
                url = urljoin(url, answer.headers["location"])
        return url


@contextmanager
def openid_provider(
    accounts: Mapping[str, Mapping[str, object]], back_to: str, folder: Path, *, in_id_token: bool = True
) -> Iterator[OpenIdProvider]:
    """The provider, as long as the block. `accounts` are claims by the name that people type; `in_id_token` says
    whether they stand in the ID token, as with Google and Microsoft, or at the userinfo endpoint alone."""
    made: Certificates = make_certificates(folder)
    client = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [back_to],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    given = {
        "certificate": made.certificate.read_text("ascii"),
        "key": made.key.read_text("ascii"),
        "accounts": accounts,
        "client": client,
        "inIdToken": in_id_token,
    }
    with npm.serving("oidc-provider", _SCRIPT, given) as port:
        yield OpenIdProvider(f"https://127.0.0.1:{port}", made.authority)


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and not self.action:
            self.action = given.get("action") or ""
        elif tag == "input" and given.get("name"):
            self.fields[str(given["name"])] = given.get("value") or ""


def _form(html: str) -> tuple[str, dict[str, str]]:
    parser = _Form()
    parser.feed(html)
    return parser.action, parser.fields
