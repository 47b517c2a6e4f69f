import { describe, expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import type { StoredInviteFact } from '../facts/stored-invite-facts.js';
import {
  decideClaims,
  decideOver,
  decideSent,
  decideStored,
  decideTold,
  foldStoredInvite,
  listToTell,
  listUnsent,
  NO_INVITES,
  type StoredInvite,
  type Invites,
} from './invites.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];

const after = (facts: readonly StoredInviteFact[], from: Invites = NO_INVITES): Invites =>
  facts.reduce((state, { type, data }) => foldStoredInvite(state, { type, data: JSON.stringify(data) }), from);
const invite = (token: string, until = 100) => ({
  token,
  roomId: '!room:a.example' as RoomId,
  sender: ALICE,
  publicKey: `key of ${token}`,
  until,
});
const store = (invites: Invites, token: string, until = 100, now = 1): Invites =>
  after(decideStored(invites, invite(token, until), now), invites);
const ALL = ['one', 'two', 'three'];
const CLAIMED = { now: 10, until: 50, tokens: ALL };

describe('invitations of whoever has an address', () => {
  const two = store(store(NO_INVITES, 'one'), 'two');

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

  describe('of many who invite', () => {
    const by = (sender: string, n: number | string, more: object = {}) => {
      return { ...invite(`${sender} ${n}`), sender: sender as UserId, ...more };
    };
    const storeAll = (asked: readonly StoredInvite[], from = NO_INVITES): Invites =>
      asked.reduce((invites, one) => after(decideStored(invites, one, 1), invites), from);
    const times = (n: number): number[] => Array.from({ length: n }, (_, each) => each);
    const names = (invites: Invites): string[] => [...invites.keys()];

    it('are ten of one sender, whose oldest gives way', () => {
      const many = storeAll([by(BOB, 'his'), ...times(11).map((n) => by(ALICE, n))]);
      expect(names(many)).toEqual([`${BOB} his`, ...times(10).map((n) => `${ALICE} ${n + 1}`)]);
      const claimed = after(decideClaims(many, BOB, { ...CLAIMED, tokens: [`${ALICE} 1`] }), many);
      expect(storeAll([by(ALICE, 'more')], claimed).size).toBe(claimed.size + 1);
    });

    it('are thirty of one server, of which the oldest gives way', () => {
      const users = times(31).map((n) => by(`@u${n}:a.example`, 0));
      const many = storeAll([by(BOB, 'his'), ...users]);
      expect(names(many)).toEqual([`${BOB} his`, ...users.slice(1).map(({ token }) => token)]);
    });

    it('are a hundred, of which those of the server that has most give way: nobody fills all places for others', () => {
      const floods = times(4).flatMap((server) => times(30).map((n) => by(`@u${n}:${server}.flood`, 0)));
      const full = storeAll([by(BOB, 'his'), ...floods]);
      expect(full.size).toBe(100);
      expect(full.has(`${BOB} his`)).toBe(true);
      const next = storeAll([by(ALICE, 'hers')], full);
      expect([next.size, next.has(`${ALICE} hers`), next.has(`${BOB} his`)]).toEqual([100, true, true]);
    });

    it('give way to nobody where each is of another server', () => {
      const each = storeAll(times(100).map((n) => by(`@u:${n}.example`, 0)));
      expect(() => storeAll([by('@u:last.example', 0)], each)).toThrow('Too many');
      expect(names(storeAll([by('@v:7.example', 0)], each))).not.toContain('@u:7.example 0');
    });

    it('of whom nobody vouches for count for nobody but themselves', () => {
      const unvouched = { isUnvouched: true } as const;
      const hers = storeAll(times(10).map((n) => by(ALICE, n)));
      const forged = storeAll(
        times(100).map((n) => by(`@u${n % 5}:a.example`, `forged ${n}`, unvouched)),
        storeAll([by(ALICE, 'forged', unvouched)], hers),
      );
      expect(names(forged).slice(0, 10)).toEqual(names(hers));
      expect(forged.size).toBe(40);
    });
  });

  it('have a message until it is sent', () => {
    const one = after(decideStored(NO_INVITES, { ...invite('one'), message: 'sealed' }, 1));
    expect(listUnsent(one)).toMatchObject([{ token: 'one', message: 'sealed' }]);
    const sent = after(decideSent(one, 'one'), one);
    expect([listUnsent(sent), decideSent(sent, 'one'), sent.size]).toEqual([[], [], 1]);
  });
});
