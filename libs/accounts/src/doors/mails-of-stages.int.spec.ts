import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { type MailServer, startMailServer } from '#testing/mail-server';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
/** How many mails somebody may have sent at once. */
const MOST = 5;

describe('the mails that stages send', () => {
  let mails: MailServer;
  let app: AccountsApp;
  beforeAll(async () => {
    mails = await startMailServer();
    app = await startAccountsApp({ ANNALS_SMTP_URL: mails.url, ANNALS_RATE_LIMITS: 'on' });
  });
  afterAll(async () => {
    await app.close();
    await mails.close();
  });

  it('are no more than at the doors for mails, whichever stage of whichever door it is', async () => {
    const stageOf = (n: number): JsonObject => ({ type: n % 2 === 0 ? 'm.login.email.code' : 'm.login.email.url' });
    for (let n = 0; n < MOST; n++) {
      const body = { ...stageOf(n), email: `somebody${n}@mail.example` };
      expect((await app.call('POST', `${V1}/login`, { body })).status).toBe(200);
    }
    const auth = { type: 'm.login.email.identity', email: 'another@mail.example' };
    const more = [
      app.call('POST', `${V1}/login`, { body: { ...stageOf(0), email: 'more@mail.example' } }),
      app.call('POST', `${V1}/login`, { body: { ...stageOf(1), email: 'more@mail.example' } }),
      app.call('POST', `${V3}/register`, { body: { username: 'another', password: 'x', auth } }),
      app.call('POST', `${V3}/account/password`, { body: { new_password: 'x', auth } }),
    ];
    for (const { status, body } of await Promise.all(more))
      expect([status, body['dev.annals.limit']]).toMatchObject([429, { class: 'mail' }]);
  });
});
