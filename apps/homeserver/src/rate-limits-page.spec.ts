import 'reflect-metadata';
import { expect, it } from 'vitest';
import { RATE_LIMITS, type RateLimitClass } from '#config/rate-limits';
import { PARTIES } from '#http/rate-limits';
import { listRoutes } from '../test/list-routes.js';

/** What monitors and operators ask for on the machine itself. */
const UNLIMITED: ReadonlySet<string> = new Set(['GET /health', 'GET /metrics']);

/** Those that are counted where the request is done, by whom it is about. */
const COUNTED_WITHIN: Partial<Record<RateLimitClass, string>> = {
  'all-texts': 'messages to phones, by this server in all',
  password: 'passwords that were wrong, for each account that they were tried for',
  export: 'how often somebody is handed their data, by user',
  inviting: 'invitations by one other server',
  'inviting-user': 'invitations of one user by one other server',
};

const ROUTES = listRoutes();

it('every route has a class by which it is limited', () => {
  const without = ROUTES.filter(({ limit }) => limit === undefined).map(({ method, path }) => `${method} ${path}`);
  expect(new Set(without)).toEqual(UNLIMITED);
});

/** `npx vitest run apps/homeserver/src/rate-limits-page.spec.ts -u` writes the page anew. */
it('docs/rate-limits.md has all classes', async () => {
  const rows = Object.entries(RATE_LIMITS).map(([name, { burst, perSecond }]) => {
    return `| \`${name}\` | ${burst} | ${perSecond} | ${requestsOf(name as RateLimitClass)} |`;
  });
  const page = `${HEAD}\n\n| class | burst | a second | requests |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  await expect(page).toMatchFileSnapshot('../../../docs/rate-limits.md');
});

function requestsOf(name: RateLimitClass): string {
  const within = COUNTED_WITHIN[name];
  if (within !== undefined) return within;
  if (name === 'default') return 'all others';
  if (name === 'federation') return 'all that another server signs, by that server';
  const paths = ROUTES.filter(({ limit }) => limit === name).map(({ method, path }) => {
    return `${method} ${path.replace(/^\/_matrix\/(client\/(api\/v1|v2_alpha|r0|v3|v1|unstable)|media\/(v1|r0|v3))\//, '…/')}`;
  });
  return [...new Set(paths)].map((path) => `\`${path}\``).join(', ');
}

const HEAD = `# Rate limits

Whoever asks too often is answered \`429 M_LIMIT_EXCEEDED\`, with \`retry_after_ms\` in the body and \`Retry-After\`, in seconds, in the header: clients
and other servers alike. (Where applications renew their tokens by OAuth 2.0 it is 503, \`temporarily_unavailable\`: anything below 500 ends their session.) Each request is of one class. All classes go by one algorithm, the _generic cell rate algorithm_ (GCRA; ITU-T I.371, annex A, "virtual
scheduling"), which allows a burst and then so many a second in the long run:

\`\`\`
interval = 1000 / (a second)                  milliseconds between two requests that come evenly
at a request that comes at \`now\`:             \`expected\`: of who asks for the first time, now
  early = expected - (burst - 1) * interval - now
  early > 0:  refused; retry_after_ms = early. It counts for nothing
  else:       expected = max(expected, now) + interval
\`\`\`

A request counts for each of its parties, and goes on where none of them is too early. The figures below are those of one _device_, of one address that nobody is known
by (an IPv6 address counts for its network of 64 bits) and of one other _server_; a _user_ may ask for ${PARTIES.user} times as much by all their devices,
and all users at one _address_ of the Internet for ${PARTIES.address} times as much. Addresses of private networks do not count where it is known who asks: they
may be those of a reverse proxy (\`ANNALS_TRUST_PROXY\` says of which \`X-Forwarded-For\` is believed). Application services are not limited by their
address, and those whose registration says \`rate_limited: false\` not at all, as little as the sender of any, or a Matrix Authentication Service that is trusted.
What has a stage of a log-in, a registration or a recovery send a mail or a message to a phone counts for \`mail\` or \`text\` besides the class of its door; so do
the mails to one address and the messages to one number. A homeserver asks the identity server for all of its users from one address: so an invitation by address
counts for \`mail\` by who invites, and for \`inviting\` by their server; in API v1, where no server has signed it, for \`mail\` by who is said to invite and the address
together, and by the address as all users there. A token of the identity server counts for \`login\` by its user.

The answer says which limit it was: \`"dev.annals.limit": {"class": "send", "by": "device", "burst": 100, "per_second": 20}\` in the body, and the same in the
headers \`RateLimit-Policy: "send";q=100;w=5\` and \`RateLimit: "send";r=0;t=1\` (draft-ietf-httpapi-ratelimit-headers: 100 in 5 seconds, none left, try again in 1).

\`ANNALS_RATE_LIMIT_FIGURES=send=200:40,login=20\` sets other figures, the burst and how many a second, for some classes; \`ANNALS_RATE_LIMITS=off\` ends all of it. For one
user an operator sets or lifts them (docs/operations.md, "Rate limits"). What is remembered of whoever asked is in memory, bounded, and gone with a restart.`;
