import { type AccountsApp, startAccountsApp } from './accounts-app.js';
import { writeRegistration } from './registration-file.js';

/** The token of the application service that has users of its own (`_bridge_…`). */
export const TOKEN = 'token-of-the-service';
/** The token of the one that may act as everybody. */
export const OTHER = 'token-of-another';
export const BY_SERVICE = 'm.login.application_service';

/** With the two services, of which the first has registered `_bridge_alice`; there is a shared secret to register administrators with. */
export async function startWithServices(): Promise<AccountsApp> {
  const bridge = writeRegistration();
  const helper = writeRegistration({
    id: 'helper',
    as_token: OTHER,
    sender_localpart: 'helper',
    rate_limited: false,
    namespaces: { users: [{ exclusive: false, regex: '@.*' }] },
  });
  const app = await startAccountsApp({
    ANNALS_APPSERVICES: `${bridge},${helper}`,
    ANNALS_RATE_LIMITS: 'on',
    ANNALS_REGISTRATION_SHARED_SECRET: 'a shared secret',
  });
  const body = { type: BY_SERVICE, username: '_bridge_alice' };
  const { status } = await app.call('POST', '/_matrix/client/v3/register', { token: TOKEN, body });
  if (status !== 200) throw new Error(`the service could not register its user: ${status}`);
  return app;
}
