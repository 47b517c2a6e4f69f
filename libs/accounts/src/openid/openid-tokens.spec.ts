import { describe, expect, it } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { createSigningKey } from '#protocol/signing/signing-key';
import { OPENID_LIFETIME_MS, OpenIdTokens } from './openid-tokens.js';

const alice = { userId: '@alice:example.org' as UserId, deviceId: 'A PHONE' as DeviceId };

describe('OpenID tokens', () => {
  let now = 1000;
  const tokens = new OpenIdTokens(createSigningKey(Buffer.alloc(32, 1), '1'), { now: () => now });

  it('tell who they were issued for, until they end', () => {
    now = 1000;
    const token = tokens.issue(alice);
    expect(tokens.findOwner(token)).toEqual(alice);
    now += OPENID_LIFETIME_MS - 1;
    expect(tokens.findOwner(token)).toEqual(alice);
    now += 1;
    expect(tokens.findOwner(token)).toBeUndefined();
  });

  it('are all different, and known to every process of the server', () => {
    expect(tokens.issue(alice)).not.toBe(tokens.issue(alice));
    const other = new OpenIdTokens(createSigningKey(Buffer.alloc(32, 1), '2'), { now: () => now });
    expect(other.findOwner(tokens.issue(alice))).toEqual(alice);
  });

  it('cannot be made up, changed, or taken from another server', () => {
    const token = tokens.issue(alice);
    const [claim, mac] = token.split('.') as [string, string];
    const forged = Buffer.from(Buffer.from(claim, 'base64url').toString().replace('alice', 'root')).toString(
      'base64url',
    );
    const foreign = new OpenIdTokens(createSigningKey(Buffer.alloc(32, 2), '1'), { now: () => now }).issue(alice);
    for (const bad of ['', '.', claim, `${forged}.${mac}`, `${token}.x`, `${claim}.`, foreign, 'an/invalid/token']) {
      expect(tokens.findOwner(bad)).toBeUndefined();
    }
  });
});
