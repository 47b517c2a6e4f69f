import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import type { Pdu } from '../room-event.js';
import { findRoomVersion, ROOM_VERSIONS } from '../room-versions/room-versions.js';
import { eventIdOf } from './reference-hash.js';
import { sealEvent } from './seal-event.js';
import { hashAndSignEvent } from './sign-event.js';
import { createSigningKey } from './signing-key.js';

const key = createSigningKey(Buffer.alloc(32, 7), 'a_1');

const content = fc.dictionary(
  fc.constantFrom(
    'body',
    'membership',
    'join_authorised_via_users_server',
    'third_party_invite',
    'creator',
    'redacts',
    'é',
  ),
  fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.record({ signed: fc.constant({ token: 't' }) })),
) as fc.Arbitrary<JsonObject>;

const event = fc.record(
  {
    type: fc.constantFrom('m.room.message', 'm.room.member', 'm.room.create', 'm.room.redaction', 'm.room.aliases'),
    content,
    sender: fc.constant('@a:domain'),
    event_id: fc.constant('$a:domain'),
    room_id: fc.constant('!r:domain'),
    state_key: fc.string(),
    depth: fc.nat(),
    origin: fc.constant('domain'),
    prev_events: fc.array(fc.constant('$x')),
    auth_events: fc.constant([]),
    membership: fc.constant('join'),
    origin_server_ts: fc.nat(),
    redacts: fc.constant('$y'),
    unsigned: fc.constant({ age: 5 }),
    hashes: fc.constant({ md5: 'old' }),
    signatures: fc.constant({ other: { 'ed25519:o': 'c2ln' }, domain: { 'ed25519:old': 'c2ln' } }),
    'org.example.\u{1f600}': fc.constant(1),
    '\uff5e': fc.constant([{ b: 1, a: null }]),
  },
  { requiredKeys: ['type', 'content', 'event_id'] },
);

describe('sealEvent', () => {
  it('is hashing, signing, serialising and naming in one, for every room version', () => {
    fc.assert(
      fc.property(event, fc.constantFrom(...ROOM_VERSIONS), (pdu: Pdu, version) => {
        const signed = hashAndSignEvent(pdu, version, 'domain', key);
        expect(sealEvent(pdu, version, 'domain', key)).toEqual({
          pdu: signed,
          json: canonicalJson(signed),
          eventId: eventIdOf(signed, version),
        });
      }),
      { numRuns: 300 },
    );
  });

  it('refuses what the room version refuses', () => {
    const pdu = { type: 'm.room.message', content: { n: 1.5 } };
    const bad = expect.objectContaining({ errcode: 'M_BAD_JSON' });
    expect(() => sealEvent(pdu, findRoomVersion('6')!, 'domain', key)).toThrow(bad);
    expect(sealEvent(pdu, findRoomVersion('5')!, 'domain', key).json).toContain('"n":1.5');
    expect(() => sealEvent(pdu, findRoomVersion('2')!, 'domain', key)).toThrow(bad);
  });
});
