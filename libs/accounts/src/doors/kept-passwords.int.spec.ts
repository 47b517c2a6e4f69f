import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserAdministration } from '#accounts/administration/user-administration';
import { RegisterAccount } from '#accounts/commands/register-account';
import { PasswordAuthorities } from '#accounts/sessions/password-authorities';
import type { UserId } from '#kernel/ids';
import { type AccountsApp, type Answer, startAccountsApp } from '#testing/accounts-app';
import { type MailServer, startMailServer } from '#testing/mail-server';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const CODE = 'm.login.email.code';
const DAN = '@dan:example.org' as UserId;
const EMAIL = 'dan@mail.example';

describe('somebody whose password is kept in another place', () => {
  let mails: MailServer;
  let app: AccountsApp;
  let token: string;
  let isThere = false;
  beforeAll(async () => {
    mails = await startMailServer();
    app = await startAccountsApp({ ANNALS_SMTP_URL: mails.url });
    token = await settle(app, () => isThere);
  });
  afterAll(async () => {
    await app.close();
    await mails.close();
  });

  /** Somebody of that place, whose password there is `there`. */
  const settle = async (where: AccountsApp, isIn: () => boolean): Promise<string> => {
    where.get(PasswordAuthorities).add({
      isFor: async (userId) => userId === DAN,
      verify: async (userId, password) => (userId === DAN && isIn() && password === 'there' ? DAN : undefined),
    });
    const threepid = { medium: 'email', address: EMAIL, validatedAt: 1 } as const;
    const account = { username: 'dan', via: 'external-id', threepid, session: {} } as const;
    const { session } = await where.get(CommandBus).execute(new RegisterAccount(account));
    return session!.tokens.access_token;
  };
  const post = (path: string, body: object, more: { token?: string } = {}): Promise<Answer> =>
    app.call('POST', path, { body, ...more });
  const logIn = (password: string): Promise<Answer> =>
    post(`${V3}/login`, { type: 'm.login.password', user: 'dan', password });
  const mayChange = async (): Promise<unknown> => {
    const { body } = await app.call('GET', `${V3}/capabilities`, { token });
    return (body['capabilities'] as Record<string, unknown>)['m.change_password'];
  };

  it('gets in by no mail', async () => {
    const { session } = (await post(`${V1}/login`, { type: CODE, email: EMAIL })).body;
    const code = /^\d{8}$/m.exec((await mails.waitFor(EMAIL)).text)![0];
    const { status, body } = await post(`${V1}/login`, { type: CODE, session, code });
    expect([status, body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
  });

  it('gets no password by one either', async () => {
    const wanted = { client_secret: 'secret', email: EMAIL, send_attempt: 1 };
    const { sid } = (await post(`${V3}/account/password/email/requestToken`, wanted)).body;
    const { text } = await mails.waitFor(EMAIL, 2);
    expect((await app.call('POST', `/${/(_matrix\/static\/\S+)/.exec(text)![1]!}`)).status).toBe(200);
    const auth = { type: 'm.login.email.identity', threepid_creds: { sid, client_secret: 'secret' } };
    const { status, body } = await post(`${V3}/account/password`, { new_password: 'new', auth });
    expect([status, body['errcode']]).toEqual([401, 'M_FORBIDDEN']);
    expect((await logIn('new')).status).toBe(403);
  });

  it('chooses none here, and is told so', async () => {
    isThere = true;
    const auth = { type: 'm.login.password', user: 'dan', password: 'there' };
    const { status, body } = await post(`${V3}/account/password`, { new_password: 'new', auth }, { token });
    expect([status, body['errcode']]).toEqual([403, 'M_FORBIDDEN']);
    isThere = false;
    expect((await logIn('new')).status).toBe(403);
    expect(await mayChange()).toEqual({ enabled: false });
  });

  it('gets in by it and a mail besides, where both are asked for', async () => {
    const flows = 'm.login.password+m.login.email.code';
    const strict = await startAccountsApp({ ANNALS_SMTP_URL: mails.url, ANNALS_LOGIN_FLOWS: flows });
    await settle(strict, () => true);
    const step = (body: object): Promise<Answer> => strict.call('POST', `${V1}/login`, { body });
    const { session } = (await step({ type: 'm.login.password', user: 'dan', password: 'there' })).body;
    await step({ type: CODE, session, email: EMAIL });
    const code = /^\d{8}$/m.exec((await mails.waitFor(EMAIL, 3)).text)![0];
    expect((await step({ type: CODE, session, code })).body['user_id']).toBe(DAN);
    await strict.close();
  });

  it('has one from the operator, and sees to it from then on', async () => {
    const administration = new UserAdministration(app.get(CommandBus), app.config.serverName);
    await administration.resetPassword('dan', 'of the operator', true);
    expect((await logIn('of the operator')).status).toBe(200);
    expect(await mayChange()).toEqual({ enabled: true });
  });
});
