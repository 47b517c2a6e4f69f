import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { positionOf } from '#testing/position-of';
import { clientEventOf } from './client-event.js';
import { redactedRowOf, type RowSource, timelineRowOf } from './make-row.js';
import { contentOfRow, parseRow } from './timeline-row.js';

const ROOM = '!r:a.example' as RoomId;

function rowOf(pdu: JsonObject, source: Partial<RowSource> = {}): string {
  const whole = { sender: '@a:a.example', origin_server_ts: 7, depth: 3, content: {}, ...pdu };
  const rest = {
    event_id: '$e' as EventId,
    position: positionOf(12),
    visibility: 'shared',
    room_version: '12',
    lenient: false,
  };
  return timelineRowOf({ ...rest, ...source, pdu: whole } as RowSource);
}

describe('the row of an event', () => {
  it('says how sticky it is until it is redacted', () => {
    const pdu = { type: 'a', msc4354_sticky: { duration_ms: 7_200_000 }, origin_server_ts: 50 };
    const row = rowOf(pdu, { receivedAt: 20 });
    expect(parseRow(row).header.sticky).toEqual({ durationMs: 7_200_000, until: 3_600_020 });
    const { msc4354_sticky: told } = JSON.parse(clientEventOf(parseRow(row), ROOM)) as JsonObject;
    expect(told).toEqual({ duration_ms: 7_200_000 });
    const redacted = parseRow(redactedRowOf(row, '$by' as EventId, { pdu: { type: 'a' }, room_version: '11' }));
    expect(redacted.header.sticky).toBeUndefined();
    expect(clientEventOf(redacted)).not.toContain('sticky');
  });

  it('says when a message came that says to have been sent later, or at no time, also once it is redacted', () => {
    const row = rowOf({ type: 'm', origin_server_ts: 50 }, { receivedAt: 20 });
    expect(parseRow(row).header).toMatchObject({ sentAt: 50, arrivedAt: 20 });
    const redacted = redactedRowOf(row, '$by' as EventId, { pdu: { type: 'm' }, room_version: '11' });
    expect(parseRow(redacted).header.arrivedAt).toBe(20);
    expect(parseRow(rowOf({ type: 'm', origin_server_ts: 'x' }, { receivedAt: 20 })).header.arrivedAt).toBe(20);
    expect(parseRow(rowOf({ type: 'm', origin_server_ts: 20 }, { receivedAt: 20 })).header.arrivedAt).toBeUndefined();
    const state = { type: 'm', state_key: '', origin_server_ts: 50 };
    expect(parseRow(rowOf(state, { receivedAt: 20 })).header.arrivedAt).toBeUndefined();
  });

  it('gives back what went in, whatever characters there are in names, keys and contents', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '\n', 'k\nm\\', '"', '\\n', '\ud800', 'ä', '\u2028'),
    );
    const property = fc.property(nasty, nasty, nasty, nasty, fc.boolean(), (type, stateKey, txnId, text, isState) => {
      const content = { [text]: [text, { body: text }] };
      const pdu = { type, content, ...(isState ? { state_key: stateKey } : {}) };
      const row = parseRow(rowOf(pdu, { txn: { device_id: text, txn_id: txnId } }));
      const key = isState ? stateKey : undefined;
      expect(row.header).toMatchObject({ type, stateKey: key, txnId, deviceId: text, position: positionOf(12) });
      expect(contentOfRow(row)).toEqual(content);
      const event = JSON.parse(clientEventOf(row, ROOM)) as JsonObject;
      expect(event).toEqual({ ...pdu, event_id: '$e', origin_server_ts: 7, room_id: ROOM, sender: '@a:a.example' });
    });
    fc.assert(property);
  });

  it('keeps numbers that old rooms may hold', () => {
    for (const sent of [0, -5, 1.5, 1e300, 2 ** 53, 1_764_300_000_123]) {
      const { header } = parseRow(rowOf({ type: 'm', origin_server_ts: sent, depth: 2 ** 60 }));
      expect([header.sentAt, header.depth]).toEqual([sent, Number.MAX_SAFE_INTEGER]);
    }
  });

  it('keeps what a redaction leaves, and whose it was', () => {
    const member = { type: 'm.room.member', state_key: '@b:a.example', content: { membership: 'ban', reason: 'x' } };
    const redacted = redactedRowOf(rowOf(member, { replaces: '$before' as EventId }), '$r' as EventId, {
      room_version: '12',
      pdu: { content: { membership: 'ban' } },
    });
    expect(parseRow(redacted)).toMatchObject({
      header: { eventId: '$e', membership: 'ban', replaces: '$before', redactedBy: '$r', stateKey: '@b:a.example' },
      content: '{"membership":"ban"}',
    });
  });

  it('takes no more than its parts and some letters', () => {
    const pdu = { type: 'm.room.message', content: { body: 'x'.repeat(60), msgtype: 'm.text' } };
    const content = JSON.stringify(pdu.content);
    expect(rowOf(pdu).length).toBeLessThan(content.length + '$e@a:a.example'.length + 15);
  });
});
