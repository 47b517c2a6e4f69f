import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { parseRoomEvent } from '#protocol/parse-room-event';
import type { Pdu } from '#protocol/room-event';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { hasContentHash } from '#protocol/signing/content-hash';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { sealEvent } from '#protocol/signing/seal-event';
import { TEST_AUTHOR } from '#testing/local-room';
import { roomEventOfFact } from './read-room-fact.js';
import type { PduAccepted } from './room-facts.js';
import { factWithPdu, pduTextOf } from './fact-text.js';

describe.each(ROOM_VERSIONS)('fields of an event that nobody knows, in room version $id', (version) => {
  const roomId = `!${version.roomIdIsCreateHash ? 'x'.repeat(43) : 'room:a.example'}` as RoomId;
  const sealed = sealEvent(
    {
      ...(version.eventIds === 'opaque' ? { event_id: '$e:a.example' } : {}),
      type: 'm.room.message',
      room_id: roomId,
      sender: '@alice:a.example',
      origin: 'a.example',
      origin_server_ts: 1,
      depth: 1,
      prev_events: [],
      auth_events: [],
      content: { body: 'hi', 'org.example.inside': { n: [1, null] } },
      'org.example.beside': { deep: ['kept', true] },
      '\u{1f600}': 1,
    },
    version,
    TEST_AUTHOR.serverName,
    TEST_AUTHOR.signingKey,
  );

  it('are hashed', () => {
    expect(hasContentHash(sealed.pdu, version)).toBe(true);
    const { 'org.example.beside': _, ...without } = sealed.pdu;
    expect(hasContentHash(without, version)).toBe(false);
    expect(hasContentHash({ ...sealed.pdu, 'org.example.more': 1 }, version)).toBe(false);
    expect(hasContentHash({ ...sealed.pdu, content: { body: 'hi' } }, version)).toBe(false);
  });

  it('are kept from the wire to the log, and passed on from there byte for byte', () => {
    const received = parseJson(Buffer.from(sealed.json), { lenient: true }) as Pdu;
    const event = parseRoomEvent(received, version, roomId);
    const lenient = !version.strictCanonicalJson;
    expect(canonicalJson(event.pdu, { lenient })).toBe(sealed.json);
    const header = {
      event_id: event.eventId,
      room_version: version.id,
      state: [],
      root: '',
      extremities: [event.eventId],
      visibility: 'shared',
    } satisfies Omit<PduAccepted, 'pdu'>;
    const data = factWithPdu(header, sealed.json);
    expect(pduTextOf(data)).toBe(sealed.json);
    const read = roomEventOfFact(roomId, { data });
    expect(read.content).toEqual(event.content);
    expect(canonicalJson(read.pdu, { lenient })).toBe(sealed.json);
    expect(eventIdOf(read.pdu, version)).toBe(sealed.eventId);
  });
});
