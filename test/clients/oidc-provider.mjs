// An OpenID Connect provider (oidc-provider), as a process of its own: `oidc-provider.mjs PORT CALLBACK...`. Everybody is logged in at once,
// as whom the last `PUT /as` said (JSON: `sub` and what else is claimed of them); nobody before that. `PUT /as` with `null`: they say no.
// Prints `ready` once it listens.
import { createServer } from 'node:http';
import { Provider, interactionPolicy } from 'oidc-provider';

const [port, ...callbacks] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const people = new Map();
let current = null;
/** Of the last authorisation requests, for tests to look at. */
const asked = [];

const client = (id, further) => ({
  client_id: id,
  redirect_uris: callbacks,
  response_types: ['code'],
  grant_types: ['authorization_code'],
  ...further,
});

const provider = new Provider(issuer, {
  clients: [
    client('annals', {
      client_secret: 'a secret of the server',
      token_endpoint_auth_method: 'client_secret_basic',
      backchannel_logout_uri: callbacks[0].replace('/callback/', '/backchannel_logout/'),
      backchannel_logout_session_required: true,
    }),
    client('posting', { client_secret: 'another secret', token_endpoint_auth_method: 'client_secret_post' }),
    client('public', { token_endpoint_auth_method: 'none' }),
  ],
  pkce: { required: () => true },
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  // By itself it says nothing to addresses of this machine.
  fetch: (url, options) => globalThis.fetch(url, { ...options, dispatcher: undefined }),
  cookies: { keys: ['a key of the test'] },
  interactions: { policy: interactionPolicy.base(), url: (_, { uid }) => `/interaction/${uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => people.get(sub) ?? { sub } }),
  // Nobody is asked whether this server may know who they are.
  async loadExistingGrant(ctx) {
    const { oidc } = ctx;
    const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email groups');
    await grant.save();
    return grant;
  },
  ttl: { Session: 60, Interaction: 60, Grant: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
});

async function bodyOf(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text);
}

const answer = provider.callback();
createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  if (request.method === 'PUT' && url.pathname === '/as') {
    current = await bodyOf(request);
    if (current !== null) people.set(current.sub, current);
    response.end('{}');
  } else if (url.pathname === '/asked') {
    response.end(JSON.stringify(asked));
  } else if (url.pathname.startsWith('/interaction/')) {
    const result =
      current === null
        ? { error: 'access_denied', error_description: '<b>no</b>' }
        : { login: { accountId: current.sub }, consent: {} };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } else {
    if (url.pathname === '/auth') asked.push(Object.fromEntries(url.searchParams));
    answer(request, response);
  }
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
