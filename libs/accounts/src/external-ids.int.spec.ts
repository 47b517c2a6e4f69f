import 'reflect-metadata';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeyedNames } from '#event-store/keyed-names';
import type { UserId } from '#kernel/ids';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { type AccountsApp, startAccountsApp } from '#testing/accounts-app';
import { Accounts, BY_SERVER } from './accounts.js';
import { IssueLoginToken } from './commands/issue-login-token.js';
import { ProvideAccount } from './commands/provide-account.js';
import { RegisterAccount } from './commands/register-account.js';
import { ExternalIds } from './external-ids.js';
import { type ExternalId, externalIdHash } from './facts/external-id-facts.js';
import { listExternalIds } from './queries/external-ids.js';

const ALICE = '@alice:example.org' as UserId;
const BOB = '@bob:example.org' as UserId;

describe('accounts elsewhere', () => {
  let app: AccountsApp;
  let ids: ExternalIds;
  let count = 0;
  let id: ExternalId;
  const register = (username: string, externalId?: ExternalId) =>
    app.get(CommandBus).execute(new RegisterAccount({ username, via: 'external-id', externalId }));
  const withNamesAnew = (): ExternalIds => {
    const names = new KeyedNames(new Uint8Array(32).fill(9), true);
    const clock = { now: () => app.time.now, elapsed: () => app.time.now };
    return new ExternalIds(app.store, clock, { eventStoreUrl: undefined }, app.get(Accounts), names, app.views);
  };
  beforeAll(async () => {
    app = await startAccountsApp();
    ids = app.get(ExternalIds);
    await register('alice');
    await register('bob');
  });
  afterAll(() => app.close());
  beforeEach(() => {
    id = { provider: 'company', subject: `subject ${count++}` };
  });

  it('are of one user at most', async () => {
    await ids.link(id, ALICE, BY_SERVER);
    await ids.link(id, ALICE, BY_SERVER);
    await expect(ids.link(id, BOB, BY_SERVER)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    expect(await ids.find(id)).toBe(ALICE);
    expect(await ids.find({ ...id, provider: 'another' })).toBeUndefined();
    expect(await listExternalIds(app.views, ALICE)).toContainEqual(id);
    expect([...(await ids.providersOf(ALICE)), ...(await ids.providersOf(BOB))]).toEqual(['company']);
    const refuse = () => ids.unlink(externalIdHash(id), ALICE, BY_SERVER, () => expect.unreachable('it is the last'));
    await expect(refuse()).rejects.toThrow('the last');
    expect(await ids.find(id)).toBe(ALICE);
    await app.get(CommandBus).execute(new ProvideAccount(ALICE, { externalIds: [] }, BY_SERVER));
    expect(await ids.find(id)).toBeUndefined();
    const again = ids.unlink(externalIdHash(id), ALICE, BY_SERVER, () => {});
    await expect(again).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    expect(await listExternalIds(app.views, ALICE)).not.toContainEqual(id);
    app.time.now += 60_000;
    await ids.link(id, BOB, BY_SERVER);
    expect(await ids.find(id)).toBe(BOB);
  });

  it('stay whose they are where the key is lost by which the log names them', async () => {
    await ids.link(id, ALICE, BY_SERVER);
    const after = withNamesAnew();
    expect(await after.find(id)).toBe(ALICE);
    await expect(after.claim(id, BOB, BY_SERVER)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
    await after.claim(id, ALICE, BY_SERVER);
    expect(await after.find(id)).toBe(ALICE);
    await app.get(CommandBus).execute(new ProvideAccount(ALICE, { externalIds: [] }, BY_SERVER));
    expect(await after.find(id)).toBeUndefined();
    app.time.now += 60_000;
    await after.link(id, BOB, BY_SERVER);
    expect(await after.find(id)).toBe(BOB);
  });

  it('are nobody’s by views that do not show whose they were when that key was lost: who has one would come in as somebody new', async () => {
    await app.views.operations.pause('external-ids', 'a test');
    await ids.link(id, ALICE, BY_SERVER);
    const after = withNamesAnew();
    await expect(after.find(id)).rejects.toBeInstanceOf(ViewsUnavailable);
    await expect(after.claim(id, BOB, BY_SERVER)).rejects.toBeInstanceOf(ViewsUnavailable);
    // Without that nobody waits for a view.
    expect(await ids.find({ ...id, subject: 'nobody' })).toBeUndefined();
    await app.views.operations.resume('external-ids');
    await app.views.whenProcessed(await app.store.head(), ['external-ids']);
    expect(await after.find(id)).toBe(ALICE);
  });

  it('stay with who is to keep one that they unlink meanwhile', async () => {
    await ids.link(id, ALICE, BY_SERVER);
    const accounts = app.get(Accounts);
    const change = accounts.change.bind(accounts);
    vi.spyOn(accounts, 'change').mockImplementationOnce(async (...args) => {
      await ids.unlink(externalIdHash(id), ALICE, BY_SERVER, () => {});
      // As what follows from that.
      await ids.release(externalIdHash(id), ALICE, await app.store.head());
      return change(...args);
    });
    const kept = { displayname: 'Ms Alice', externalIds: [id] };
    await app.get(CommandBus).execute(new ProvideAccount(ALICE, kept, BY_SERVER));
    expect(await ids.find(id)).toBe(ALICE);
    await expect(ids.link(id, BOB, BY_SERVER)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  });

  it('wait for the account that is being made, and for none that came to nothing', async () => {
    const carol = '@carol:example.org' as UserId;
    await ids.claim(id, carol, BY_SERVER);
    expect(await ids.find(id)).toBeUndefined();
    await expect(ids.claim(id, BOB, BY_SERVER)).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    // Somebody else took the name: the claim is none.
    await register('carol');
    expect(await ids.find(id)).toBeUndefined();
    app.time.now += 60_000;
    await ids.link(id, BOB, BY_SERVER);
    expect(await ids.find(id)).toBe(BOB);
  });

  it('are of one account where they come twice at once', async () => {
    const users = ['dave', 'dora'].map((name) => `@${name}:example.org` as UserId);
    const claims = await Promise.allSettled(users.map((userId) => ids.claim(id, userId, BY_SERVER)));
    expect(claims.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('a login token', () => {
  it('ends with its time, a new password, and the account', async () => {
    const app = await startAccountsApp();
    const register = { username: 'alice', password: 'a password', auth: { type: 'm.login.dummy' } };
    const { body } = await app.call('POST', '/_matrix/client/v3/register', { body: register });
    const issue = () => app.get(CommandBus).execute(new IssueLoginToken(ALICE, 1_000, BY_SERVER));
    const logIn = async (token: string) =>
      (await app.call('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.token', token } })).status;
    const old = await issue();
    app.time.now += 1_000;
    expect(await logIn(old)).toBe(403);
    const before = await issue();
    const auth = { type: 'm.login.password', user: 'alice', password: 'a password' };
    const change = { new_password: 'another', auth };
    const changed = await app.call('POST', '/_matrix/client/v3/account/password', {
      body: change,
      token: body['access_token'] as string,
    });
    expect(changed.status).toBe(200);
    expect(await logIn(before)).toBe(403);
    const many = await Promise.all(Array.from({ length: 21 }, issue));
    const answers: number[] = [];
    for (const token of many) answers.push(await logIn(token));
    expect(answers.filter((status) => status === 403)).toHaveLength(1);
    await app.close();
  });
});
