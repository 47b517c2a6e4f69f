import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { createSigningKey } from '#protocol/signing/signing-key';
import { recordFacts, type StreamFact } from '#testing/project';
import type { Accounts } from '../accounts.js';
import { NO_ACCOUNT } from '../decide/account.js';
import { foldAccountFact } from '../decide/fold-facts.js';
import { OPENID_LIFETIME_MS, OpenIdTokens } from './openid-tokens.js';

const alice = { userId: '@alice:example.org' as UserId, deviceId: 'A PHONE' as DeviceId };
const fact = (type: string, data: object): StreamFact => ({ stream: `user-${alice.userId}`, type, data });
const registered = fact('account-registered', { user_id: alice.userId, kind: 'user', via: 'open', password_hash: 'h' });
const loggedIn = fact('device-added', { device_id: alice.deviceId, token_hash: 'at' });
const removed = (reason: string): StreamFact => fact('devices-removed', { device_ids: [alice.deviceId], reason });

describe('OpenID tokens', () => {
  let now = 1000;
  let life = [registered, loggedIn];
  const accounts = {
    load: (userId: UserId) =>
      Promise.resolve(userId === alice.userId ? recordFacts(life).reduce(foldAccountFact, NO_ACCOUNT) : NO_ACCOUNT),
  } as Accounts;
  const tokensOf = (seed: number, id = '1'): OpenIdTokens =>
    new OpenIdTokens(createSigningKey(Buffer.alloc(32, seed), id), { now: () => now }, accounts);
  const tokens = tokensOf(1);

  it('tell who they were issued for, until they end', async () => {
    now = 1000;
    const token = await tokens.issue(alice);
    expect(await tokens.findOwner(token)).toEqual({ ...alice, trustedSince: 0 });
    now += OPENID_LIFETIME_MS - 1;
    expect(await tokens.findOwner(token)).toMatchObject(alice);
    now += 1;
    expect(await tokens.findOwner(token)).toBeUndefined();
  });

  it('are all different, and known to every process of the server', async () => {
    expect(await tokens.issue(alice)).not.toBe(await tokens.issue(alice));
    expect(await tokensOf(1, '2').findOwner(await tokens.issue(alice))).toMatchObject(alice);
  });

  it('cannot be made up, changed, or taken from another server', async () => {
    const token = await tokens.issue(alice);
    const [claim, mac] = token.split('.') as [string, string];
    const forged = Buffer.from(Buffer.from(claim, 'base64url').toString().replace('alice', 'root')).toString(
      'base64url',
    );
    const foreign = await tokensOf(2).issue(alice);
    for (const bad of ['', '.', claim, `${forged}.${mac}`, `${token}.x`, `${claim}.`, foreign, 'an/invalid/token']) {
      expect(await tokens.findOwner(bad)).toBeUndefined();
    }
  });

  it.each([
    ['logged out', [removed('logout')]],
    ['logged out and in again', [removed('logout'), loggedIn]],
    ['logged in again by who has the password', [loggedIn]],
    ['locked', [fact('account-locked', {})]],
    ['suspended', [fact('account-suspended', {})]],
    ['closed', [fact('account-deactivated', { erase: false })]],
  ] as const)('are nobody’s once their session or its account is %s', async (_, since) => {
    life = [registered, loggedIn];
    const token = await tokens.issue(alice);
    life = [...life, ...since];
    expect(await tokens.findOwner(token)).toBeUndefined();
    life = [registered, loggedIn];
  });

  it('are good for as long as their session, by whatever tokens it goes on, and say since when the account is trusted', async () => {
    const token = await tokens.issue(alice);
    const used = { used: 'rt', token_hash: 'at2', refresh_hash: 'rt2', expires_at: 9 };
    const changed = fact('password-changed', { password_hash: 'other' });
    life = [...life, fact('tokens-refreshed', { device_id: alice.deviceId, ...used }), changed];
    expect(await tokens.findOwner(token)).toEqual({ ...alice, trustedSince: 3 });
    life = [registered, loggedIn];
  });

  it('are had by no session that has ended, and by services without one', async () => {
    const gone = { ...alice, deviceId: 'GONE' as DeviceId };
    await expect(tokens.issue(gone)).rejects.toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' });
    const service = { ...alice, deviceId: '' as DeviceId };
    expect(await tokens.findOwner(await tokens.issue(service))).toMatchObject(service);
  });
});
