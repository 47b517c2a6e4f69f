import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../canonical-json/canonical-json.js';
import { redact } from '../redaction/redact.js';
import { ROOM_VERSIONS } from '../room-versions/room-versions.js';
import { hasContentHash } from './content-hash.js';
import { openEvent } from './open-event.js';
import { eventIdOf } from './reference-hash.js';
import { sealEvent } from './seal-event.js';
import { createSigningKey } from './signing-key.js';

const key = createSigningKey(Buffer.alloc(32, 3), 'a');

describe.each(ROOM_VERSIONS)('an event of room version $id', (version) => {
  const draft = {
    ...(version.eventIds === 'opaque' ? { event_id: '$x:a.example' } : {}),
    room_id: '!r:a.example',
    sender: '@a:a.example',
    type: 'm.room.member',
    state_key: '@a:a.example',
    content: { membership: 'join', displayname: 'Ä "quoted"' },
    depth: 3,
    origin_server_ts: 5,
    prev_events: [],
    auth_events: [],
    'not.known': { b: 1, a: [true, null] },
  };
  const sealed = sealEvent(draft, version, 'a.example', key);

  it('is opened as the plain functions say', () => {
    const opened = openEvent(sealed.pdu, version);
    expect(opened.json).toBe(sealed.json);
    expect(opened.eventId).toBe(eventIdOf(sealed.pdu, version));
    expect(opened.hasContentHash).toBe(true);
    const { signatures: _, ...signed } = redact(sealed.pdu, version);
    expect(opened.essential).toBe(canonicalJson(signed));
  });

  it('has the same id and the same signed text when it comes redacted, and another content hash', () => {
    const redacted = redact(sealed.pdu, version);
    const opened = openEvent(redacted, version);
    expect(opened.eventId).toBe(sealed.eventId);
    expect(opened.essential).toBe(openEvent(sealed.pdu, version).essential);
    expect(opened.hasContentHash).toBe(hasContentHash(redacted, version));
    expect(opened.hasContentHash).toBe(false);
  });

  it('may have any number in unsigned, and the whole is counted', () => {
    const opened = openEvent({ ...sealed.pdu, unsigned: { age: 1.5 } }, version);
    expect(opened.json).toContain('"unsigned":{"age":1.5}');
    expect(opened.hasContentHash).toBe(true);
    expect(opened.eventId).toBe(sealed.eventId);
  });
});
