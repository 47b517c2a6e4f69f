import { describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { StoredInviteFact } from '../facts/stored-invite-facts.js';
import {
  decideClaims,
  decideOver,
  decideStored,
  decideTold,
  foldStoredInvite,
  listToTell,
  NO_STORED_INVITES,
  type StoredInvites,
} from './stored-invites.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];

const after = (facts: readonly StoredInviteFact[], from: StoredInvites = NO_STORED_INVITES): StoredInvites =>
  facts.reduce((state, { type, data }) => foldStoredInvite(state, { type, data: JSON.stringify(data) }), from);
const invite = (token: string, until = 100) => ({
  token,
  roomId: '!room:a.example' as RoomId,
  sender: ALICE,
  publicKey: `key of ${token}`,
  until,
});
const store = (invites: StoredInvites, token: string, until = 100, now = 1): StoredInvites =>
  after(decideStored(invites, invite(token, until), now), invites);
const ALL = ['one', 'two', 'three'];
const CLAIMED = { now: 10, until: 50, tokens: ALL };

describe('invitations of whoever has an address', () => {
  const two = store(store(NO_STORED_INVITES, 'one'), 'two');

  it('are all those of the first who is known to have it, and nobody’s after', () => {
    const claimed = after(decideClaims(two, ALICE, CLAIMED), two);
    expect(listToTell(claimed, ALICE, 10).map(({ token }) => token)).toEqual(['one', 'two']);
    expect(decideClaims(claimed, BOB, CLAIMED)).toEqual([]);
    expect(listToTell(claimed, BOB, 10)).toEqual([]);
    const later = store(claimed, 'three');
    expect(decideClaims(later, BOB, CLAIMED)).toMatchObject([{ data: { token: 'three' } }]);
  });

  it('are one each for who reads a mail', () => {
    const claimed = after(decideClaims(two, BOB, { ...CLAIMED, tokens: ['one'] }), two);
    expect(decideClaims(claimed, ALICE, CLAIMED)).toMatchObject([{ data: { token: 'two', mxid: ALICE } }]);
  });

  it('are told of once, and have a key that is good until their time is over', () => {
    const claimed = after(decideClaims(two, ALICE, CLAIMED), two);
    const told = after(decideTold(claimed, ['one', 'unknown']), claimed);
    expect(listToTell(told, ALICE, 10).map(({ token }) => token)).toEqual(['two']);
    expect(decideTold(told, ['one'])).toEqual([]);
    expect(told.has('one')).toBe(true);
    expect(listToTell(told, ALICE, 50)).toEqual([]);
    expect([...after(decideOver(told, 50), told).keys()]).toEqual([]);
  });

  it('are claimed by nobody once their time is over, which ends them as the next one comes', () => {
    expect(decideClaims(two, ALICE, { ...CLAIMED, now: 100, until: 150 })).toEqual([]);
    expect([...store(two, 'three', 300, 100).keys()]).toEqual(['three']);
  });

  it('are a hundred at most', () => {
    let many = NO_STORED_INVITES;
    for (let n = 0; n < 100; n++) many = store(many, `${n}`);
    expect(() => store(many, 'more')).toThrow('Too many');
    const claimed = after(decideClaims(many, ALICE, { ...CLAIMED, tokens: ['7'] }), many);
    expect(store(claimed, 'more').size).toBe(101);
  });
});
