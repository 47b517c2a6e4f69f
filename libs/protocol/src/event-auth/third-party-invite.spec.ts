import fc from 'fast-check';
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
import { ROOM_VERSIONS } from '../room-versions/room-versions.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { findAuthRefusal } from './authorize-event.js';
import { findInviteKey } from './third-party-invite.js';

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

describe.each(ROOM_VERSIONS.map((one) => [one.id, one] as const))(
  'a third-party invite in room version %s',
  (_, of) => {
    const invite = (said: JsonObject, offer: Partial<EventDraft> = {}) => refusalIn(of, said, offer);

    it('lets in whom an identity server has signed for, and nobody else', () => {
      expect(invite({ signed })).toBeUndefined();
      for (const said of [{ signed: { ...signed, mxid: CAROL } }, { signed: { ...signed, token: 'abd' } }, {}]) {
        expect(invite(said)).toBeDefined();
      }
      // As it is left by a redaction, and by whoever takes it back.
      expect(invite({ signed }, { content: {} })).toBeDefined();
    });

    it('is for those to make who may invite, whatever the level of other state is', () => {
      const offer = (level: number) => {
        const levels = {
          users: { [ALICE]: 100, [BOB]: level },
          invite: 50,
          events: { 'm.room.third_party_invite': 99 },
        };
        const state = authStateOf([
          makeCreate(of),
          ...[
            member(BOB, 'join'),
            {
              type: 'm.room.power_levels',
              stateKey: '',
              content: of.privilegedCreators ? { ...levels, users: { [BOB]: level } } : levels,
            },
          ].map((draft) => makeEvent(draft, of)),
        ]);
        const content = { display_name: 'C...', public_key: publicKey, key_validity_url: 'https://identity.example' };
        return findAuthRefusal(
          makeEvent({ type: 'm.room.third_party_invite', stateKey: 'abc', sender: BOB, content }, of),
          of,
          state,
        );
      };
      expect(offer(49)).toBeDefined();
      expect(offer(50)).toBeUndefined();
    });

    it('holds under no change of what was signed', () => {
      fc.assert(
        fc.property(fc.string({ minLength: 1, maxLength: 20 }), fc.jsonValue({ maxDepth: 1 }), (name, value) => {
          fc.pre(!['mxid', 'token', 'signatures', 'unsigned', '__proto__'].includes(name));
          expect(invite({ signed: { ...signed, [name]: value as JsonObject } })).toBeDefined();
        }),
        { numRuns: 20 },
      );
    });
  },
);

function refusalIn(of: RoomVersion, said: JsonObject, offer: Partial<EventDraft>) {
  const drafts: EventDraft[] = [
    { type: 'm.room.third_party_invite', stateKey: 'abc', content: { public_key: publicKey }, ...offer },
  ];
  const state = authStateOf([makeCreate(of), ...drafts.map((draft) => makeEvent(draft, of))]);
  const content = { third_party_invite: said };
  return findAuthRefusal(makeEvent(member(BOB, 'invite', { sender: ALICE, content }), of), of, state);
}

it('tells with which key something is signed, and where that is asked for', () => {
  const url = 'https://identity.example/valid';
  const other = encodeBase64(otherKey.publicKey);
  const offer = {
    public_key: other,
    key_validity_url: 'https://other.example',
    public_keys: [{ public_key: publicKey, key_validity_url: url }],
  };
  expect(findInviteKey(signed, offer)).toEqual({ publicKey, validityUrl: url });
  expect(findInviteKey(signed, { public_keys: [{ public_key: publicKey }] })).toEqual({ publicKey });
  expect(findInviteKey(signed, { public_key: other })).toBeUndefined();
});
