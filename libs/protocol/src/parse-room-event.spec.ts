import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { MatrixError } from '#kernel/matrix-error';
import { parseJson } from './canonical-json/parse-json.js';
import { canonicalJson } from './canonical-json/canonical-json.js';
import { parseRoomEvent } from './parse-room-event.js';
import type { Pdu } from './room-event.js';
import type { RoomVersion } from './room-versions/room-version.js';
import { findRoomVersion, ROOM_VERSIONS } from './room-versions/room-versions.js';
import { eventIdOf } from './signing/reference-hash.js';

function version(id: string): RoomVersion {
  return findRoomVersion(id)!;
}

const MESSAGE: Pdu = {
  type: 'm.room.message',
  room_id: '!r:domain',
  sender: '@a:domain',
  content: { body: 'hello' },
  origin_server_ts: 1000,
  depth: 3,
  prev_events: ['$p'],
  auth_events: ['$q', '$r'],
  hashes: { sha256: 'x' },
  signatures: { domain: { 'ed25519:1': 'x' } },
};
const OPAQUE: Pdu = {
  ...MESSAGE,
  event_id: '$e:domain',
  prev_events: [['$p:domain', { sha256: 'x' }]],
  auth_events: [['$q:domain', { sha256: 'x' }]],
};

/** The errcode with which a PDU is refused; undefined where it is taken. */
function refusal(pdu: Pdu, id = '10'): string | undefined {
  try {
    parseRoomEvent(pdu, version(id));
    return undefined;
  } catch (error) {
    return (error as MatrixError).errcode;
  }
}

describe('parseRoomEvent', () => {
  it('reads a message event of version 10', () => {
    expect(parseRoomEvent(MESSAGE, version('10'), '!r:domain' as RoomId)).toEqual({
      eventId: eventIdOf(MESSAGE, version('10')),
      roomId: '!r:domain',
      type: 'm.room.message',
      sender: '@a:domain',
      stateKey: undefined,
      content: { body: 'hello' },
      originServerTs: 1000,
      depth: 3,
      prevEvents: ['$p'],
      authEvents: ['$q', '$r'],
      redacts: undefined,
      pdu: MESSAGE,
    });
  });

  it('reads event id and pairs of versions 1 and 2', () => {
    for (const id of ['1', '2']) {
      const event = parseRoomEvent(OPAQUE, version(id));
      expect([event.eventId, event.prevEvents, event.authEvents]).toEqual(['$e:domain', ['$p:domain'], ['$q:domain']]);
      expect(refusal(MESSAGE, id)).toBe('M_BAD_JSON');
      expect(refusal({ ...OPAQUE, prev_events: ['$p:domain'] }, id)).toBe('M_BAD_JSON');
      expect(refusal({ ...OPAQUE, prev_events: [['$p:domain']] }, id)).toBe('M_BAD_JSON');
      expect(refusal({ ...OPAQUE, event_id: '$nodomain' }, id)).toBe('M_BAD_JSON');
    }
    expect(refusal({ ...MESSAGE, prev_events: [['$p', {}]] })).toBe('M_BAD_JSON');
  });

  it('finds the redacted event where the room version keeps it', () => {
    const redaction = { ...MESSAGE, type: 'm.room.redaction', redacts: '$top', content: { redacts: '$inner' } };
    expect(parseRoomEvent(redaction, version('10')).redacts).toBe('$top');
    expect(parseRoomEvent(redaction, version('11')).redacts).toBe('$inner');
    expect(parseRoomEvent({ ...redaction, type: 'x' }, version('10')).redacts).toBeUndefined();
    expect(parseRoomEvent({ ...redaction, content: {} }, version('12')).redacts).toBeUndefined();
  });

  it('derives the room id from the create event in version 12, and only there', () => {
    const create: Pdu = { ...MESSAGE, type: 'm.room.create', state_key: '', room_id: undefined };
    const event = parseRoomEvent(create, version('12'));
    expect(event.roomId).toBe(`!${event.eventId.slice(1)}`);
    expect(event.stateKey).toBe('');
    expect(refusal(create, '11')).toBe('M_BAD_JSON');
    expect(refusal({ ...create, type: 'm.room.message' }, '12')).toBe('M_BAD_JSON');
  });

  it('refuses an event of another room', () => {
    expect(() => parseRoomEvent(MESSAGE, version('10'), '!other:domain' as RoomId)).toThrow(/another room/);
  });

  it.each<[string, JsonObject]>([
    ['no type', { type: undefined }],
    ['a type that is no text', { type: 5 }],
    ['no sender', { sender: undefined }],
    ['a sender that is no user id', { sender: 'a:domain' }],
    ['a room id that is none', { room_id: 'r:domain' }],
    ['no content', { content: undefined }],
    ['a list for content', { content: [] }],
    ['a state key that is no text', { state_key: null }],
    ['no timestamp', { origin_server_ts: undefined }],
    ['a text for timestamp', { origin_server_ts: '1000' }],
    ['no depth', { depth: undefined }],
    ['a negative depth', { depth: -1 }],
    ['no hashes', { hashes: undefined }],
    ['no signatures', { signatures: undefined }],
    ['a text for unsigned', { unsigned: 'x' }],
    ['no prev_events', { prev_events: undefined }],
    ['an object for auth_events', { auth_events: {} }],
    ['a reference that is no event id', { auth_events: ['q'] }],
    ['21 prev_events', { prev_events: Array.from({ length: 21 }, (_, i) => `$${i}`) }],
    ['11 auth_events', { auth_events: Array.from({ length: 11 }, (_, i) => `$${i}`) }],
  ])('refuses %s, in every room version', (_, change) => {
    for (const { id, references } of ROOM_VERSIONS) {
      expect(refusal({ ...(references === 'pairs' ? OPAQUE : MESSAGE), ...change }, id)).toBe('M_BAD_JSON');
    }
  });

  it('takes 20 prev_events and 10 auth_events', () => {
    const ids = Array.from({ length: 20 }, (_, i) => `$${i}`);
    expect(refusal({ ...MESSAGE, prev_events: ids, auth_events: ids.slice(10) })).toBeUndefined();
  });

  it('counts bytes, not characters, up to 255 for type, state key, sender and room id', () => {
    expect(refusal({ ...MESSAGE, type: 'é'.repeat(127) })).toBeUndefined();
    expect(refusal({ ...MESSAGE, type: 'é'.repeat(128) })).toBe('M_TOO_LARGE');
    expect(refusal({ ...MESSAGE, state_key: 'x'.repeat(255) })).toBeUndefined();
    expect(refusal({ ...MESSAGE, state_key: 'x'.repeat(256) })).toBe('M_TOO_LARGE');
    expect(refusal({ ...MESSAGE, sender: `@${'a'.repeat(250)}:domain` })).toBe('M_TOO_LARGE');
    expect(refusal({ ...MESSAGE, room_id: `!${'a'.repeat(250)}:domain` })).toBe('M_TOO_LARGE');
  });

  it('takes an event of 65536 bytes and refuses one of more, with and without its text known', () => {
    const room = 65_536 - canonicalJson({ ...MESSAGE, content: { body: '' } }).length;
    for (const [text, expected] of [
      ['x'.repeat(room), undefined],
      ['x'.repeat(room + 1), 'M_TOO_LARGE'],
      ['é'.repeat(room / 2 + 1), 'M_TOO_LARGE'],
    ] as const) {
      const pdu = { ...MESSAGE, content: { body: text } };
      expect(refusal(pdu)).toBe(expected);
      const known = { eventId: '$known' as EventId, json: canonicalJson(pdu) };
      const parse = () => parseRoomEvent(pdu, version('10'), undefined, known).eventId;
      if (expected === undefined) expect(parse()).toBe('$known');
      else expect(parse).toThrow(expect.objectContaining({ errcode: expected }));
    }
    const padded = { ...MESSAGE, content: { body: 'x'.repeat(room) } };
    expect(refusal({ ...padded, unsigned: {} })).toBe('M_TOO_LARGE');
  });

  it('refuses floats and big integers from version 6 on, except in unsigned', () => {
    for (const { id, strictCanonicalJson, references } of ROOM_VERSIONS) {
      const base = references === 'pairs' ? OPAQUE : MESSAGE;
      for (const number of ['1.0', '1.5', '9007199254740993', '-0']) {
        const odd = parseJson(`{"n":[${number}]}`, { lenient: true }) as JsonObject;
        expect(refusal({ ...base, content: odd }, id)).toBe(strictCanonicalJson ? 'M_BAD_JSON' : undefined);
        expect(refusal({ ...base, unsigned: odd }, id)).toBeUndefined();
      }
    }
  });

  it('takes a depth up to 2^63-1 before version 6, up to 2^53-1 after', () => {
    const deep = parseJson('{"depth":9223372036854775807}', { lenient: true }) as JsonObject;
    const deeper = parseJson('{"depth":92233720368547758070}', { lenient: true }) as JsonObject;
    expect(parseRoomEvent({ ...MESSAGE, ...deep }, version('5')).depth).toBe(2 ** 63);
    expect(refusal({ ...MESSAGE, ...deeper }, '5')).toBe('M_BAD_JSON');
    expect(refusal({ ...MESSAGE, ...deep }, '6')).toBe('M_BAD_JSON');
    expect(refusal({ ...MESSAGE, depth: Number.MAX_SAFE_INTEGER }, '6')).toBeUndefined();
    const float = parseJson('{"depth":3.0}', { lenient: true }) as JsonObject;
    expect(refusal({ ...MESSAGE, ...float }, '5')).toBe('M_BAD_JSON');
  });
});
