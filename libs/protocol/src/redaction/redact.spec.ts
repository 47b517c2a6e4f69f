import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '#kernel/json';
import type { Pdu } from '../room-event.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { findRoomVersion, ROOM_VERSIONS } from '../room-versions/room-versions.js';
import { redact } from './redact.js';

function version(id: string): RoomVersion {
  return findRoomVersion(id)!;
}

const SPECIFIED = ROOM_VERSIONS.filter(({ stable }) => stable);

/** What stays of a content, for each room version. */
function contentKept(type: string, content: JsonObject): Record<string, string> {
  const kept = SPECIFIED.map((one) => [one.id, Object.keys(redact({ type, content }, one)['content']!).sort().join()]);
  return Object.fromEntries(kept) as Record<string, string>;
}

/** The room versions, in order, grouped by what stays: "1-5: a,b". */
function table(type: string, keys: readonly string[]): string[] {
  const kept = contentKept(type, Object.fromEntries(keys.map((key) => [key, 1])));
  const lines: [string, string, string][] = [];
  for (const { id } of SPECIFIED) {
    const last = lines.at(-1);
    if (last !== undefined && last[2] === kept[id]) last[1] = id;
    else lines.push([id, id, kept[id]!]);
  }
  return lines.map(([first, last, text]) => `${first}-${last}: ${text}`);
}

describe('redact', () => {
  it('keeps the top-level keys that the room version names', () => {
    const keys = ['event_id', 'type', 'room_id', 'sender', 'state_key', 'hashes', 'signatures', 'depth', 'prev_events'];
    const always = [...keys, 'auth_events', 'origin_server_ts', 'content'].sort();
    const pdu = Object.fromEntries(
      [...always, 'prev_state', 'origin', 'membership', 'unsigned', 'redacts', 'other', '__proto__'].map((key) => [
        key,
        key,
      ]),
    );
    for (const one of ROOM_VERSIONS) {
      const before11 = one.redaction === 'v11' ? [] : ['membership', 'origin', 'prev_state'];
      expect(Object.keys(redact(pdu, one)).sort()).toEqual([...always, ...before11].sort());
    }
  });

  it('keeps of each content what the room version names', () => {
    expect(table('m.room.message', ['body', 'redacts', 'membership'])).toEqual(['1-12: ']);
    expect(table('m.room.aliases', ['aliases', 'x'])).toEqual(['1-5: aliases', '6-12: ']);
    expect(table('m.room.join_rules', ['join_rule', 'allow', 'x'])).toEqual([
      '1-7: join_rule',
      '8-12: allow,join_rule',
    ]);
    expect(table('m.room.history_visibility', ['history_visibility', 'x'])).toEqual(['1-12: history_visibility']);
    expect(table('m.room.redaction', ['redacts', 'reason'])).toEqual(['1-10: ', '11-12: redacts']);
    expect(table('m.room.create', ['creator', 'm.federate', 'room_version'])).toEqual([
      '1-10: creator',
      '11-12: creator,m.federate,room_version',
    ]);
    expect(table('m.room.member', ['membership', 'displayname', 'join_authorised_via_users_server'])).toEqual([
      '1-8: membership',
      '9-12: join_authorised_via_users_server,membership',
    ]);
    const levels = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'];
    expect(table('m.room.power_levels', [...levels, 'invite', 'notifications'])).toEqual([
      `1-10: ${levels.join()}`,
      `11-12: ${[...levels, 'invite'].sort().join()}`,
    ]);
  });

  it('keeps only the signed part of a third-party invite, from version 11 on', () => {
    const content = { membership: 'invite', third_party_invite: { signed: { token: 't' }, display_name: 'A' } };
    const pdu = { type: 'm.room.member', content };
    expect(redact(pdu, version('10'))['content']).toEqual({ membership: 'invite' });
    expect(redact(pdu, version('11'))['content']).toEqual({
      membership: 'invite',
      third_party_invite: { signed: { token: 't' } },
    });
    const unsigned = { ...pdu, content: { third_party_invite: { display_name: 'A' } } };
    expect(redact(unsigned, version('11'))['content']).toEqual({ third_party_invite: {} });
    const text = { ...pdu, content: { third_party_invite: 'text' } };
    expect(redact(text, version('11'))['content']).toEqual({});
  });

  it('keeps the mark of deleted state where state can be deleted, and no other value under its name', () => {
    const own = version('dev.annals.12.deletion');
    const contentOf = (type: string, content: JsonObject, one: RoomVersion) =>
      redact({ type, content }, one)['content'];
    const deletion = { 'dev.annals.deleted': true, reason: 'x' };
    for (const type of ['m.room.topic', 'm.room.history_visibility', 'org.example']) {
      expect(contentOf(type, deletion, own)).toEqual({ 'dev.annals.deleted': true });
      expect(contentOf(type, deletion, version('12'))).toEqual({});
    }
    for (const value of ['true', 1, {}, [true], false]) {
      expect(contentOf('m.room.topic', { 'dev.annals.deleted': value as JsonValue }, own)).toEqual({});
    }
    const kept = { history_visibility: 'joined', 'dev.annals.deleted': true };
    expect(contentOf('m.room.history_visibility', kept, own)).toEqual(kept);
  });

  it('gives an event a content where it has none that is an object', () => {
    expect(redact({ type: 'm.room.create' }, version('12'))).toEqual({ type: 'm.room.create', content: {} });
    expect(redact({ type: 'm.room.member', content: 'text' }, version('9'))['content']).toEqual({});
  });

  it('changes nothing in its argument, and nothing more when done twice', () => {
    const key = fc.constantFrom(
      'membership',
      'third_party_invite',
      'redacts',
      'join_rule',
      'users',
      'body',
      'dev.annals.deleted',
      '__proto__',
    );
    const inner = fc.dictionary(fc.constantFrom('signed', 'x'), fc.nat());
    const content = fc.dictionary(key, fc.oneof(fc.string(), fc.boolean(), inner)) as fc.Arbitrary<JsonObject>;
    const type = fc.constantFrom('m.room.member', 'm.room.create', 'm.room.redaction', 'm.room.power_levels', 'x');
    const event = fc.record({ type, content, origin: fc.string(), unsigned: fc.constant({ age: 1 }) });
    fc.assert(
      fc.property(event, fc.constantFrom(...ROOM_VERSIONS), (pdu: Pdu, one) => {
        const before: JsonValue = structuredClone(pdu);
        const once = redact(pdu, one);
        expect(redact(once, one)).toEqual(once);
        expect(pdu).toEqual(before);
      }),
    );
  });
});
