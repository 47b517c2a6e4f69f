import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import {
  ALICE,
  BOB,
  CAROL,
  makeCreate,
  makeEvent,
  member,
  versionOf,
  type EventDraft,
} from '../../test/hand-made-events.js';
import { encodeBase64 } from '../signing/base64.js';
import { signJson } from '../signing/sign-json.js';
import { createSigningKey } from '../signing/signing-key.js';
import { authStateOf } from './auth-state.js';
import { findAuthRefusal } from './authorize-event.js';

const version = versionOf('11');
const key = createSigningKey(Buffer.alloc(32, 1), '0');
const otherKey = createSigningKey(Buffer.alloc(32, 2), '0');
const publicKey = encodeBase64(key.publicKey);
const signed = signJson({ mxid: BOB, token: 'abc' }, 'identity.example', key);

function refusal(invite: unknown, offer: Partial<EventDraft> = {}, bob = 'leave', target = BOB) {
  const drafts: EventDraft[] = [
    { type: 'm.room.third_party_invite', stateKey: 'abc', content: { public_key: publicKey }, ...offer },
    member(BOB, bob),
  ];
  const state = authStateOf([makeCreate(version), ...drafts.map((draft) => makeEvent(draft, version))]);
  const content = { third_party_invite: invite as JsonObject };
  return findAuthRefusal(makeEvent(member(target, 'invite', { sender: ALICE, content }), version), version, state);
}

describe('a third-party invite', () => {
  it('is redeemed by what the identity server signed, even by a sender who is not in the room', () => {
    expect(refusal({ signed })).toBeUndefined();
    expect(refusal({ signed }, {}, 'join')).toBeUndefined();
  });

  it('is not for those who are banned', () => {
    expect(refusal({ signed }, {}, 'ban')).toContain('banned');
  });

  it('is for the user and the token that were signed', () => {
    expect(refusal({ signed }, {}, 'leave', CAROL)).toContain('another user');
    expect(refusal({ signed }, { stateKey: 'abd' })).toContain('no such');
    expect(refusal({ signed }, { sender: CAROL })).toContain('of another user');
  });

  it('has everything it needs', () => {
    for (const invite of [null, 1, {}, { signed: 1 }]) expect(refusal(invite)).toContain('not signed');
    expect(refusal({ signed: { ...signed, mxid: undefined } })).toContain('lacks');
    expect(refusal({ signed: { ...signed, token: 1 } })).toContain('lacks');
  });

  it('is signed by one of the keys of the offer', () => {
    const other = encodeBase64(otherKey.publicKey);
    expect(
      refusal({ signed }, { content: { public_keys: [{ public_key: other }, { public_key: publicKey }] } }),
    ).toBeUndefined();
    for (const content of [
      {},
      { public_key: other },
      { public_key: 'x' },
      { public_keys: [1, { public_key: other }] },
    ]) {
      expect(refusal({ signed }, { content })).toContain('not signed');
    }
    expect(refusal({ signed: { ...signed, extra: 1 } })).toContain('not signed');
    expect(refusal({ signed: { mxid: BOB, token: 'abc' } })).toContain('not signed');
    expect(refusal({ signed: signJson(signed, 'other.example', otherKey) })).toBeUndefined();
  });

  it('cannot ask for more verifications than a few', () => {
    const keys = Array.from({ length: 100 }, () => ({ public_key: encodeBase64(otherKey.publicKey) }));
    expect(refusal({ signed }, { content: { public_keys: [...keys, { public_key: publicKey }] } })).toContain(
      'not signed',
    );
  });
});
