import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import { JsonNumber, type JsonObject } from '#kernel/json';
import { ALICE, BOB, DAVE, makeCreate, versionOf } from '../../test/hand-made-events.js';
import { checkStateContent } from './check-state-content.js';

const ROOM = '!room:a.example' as RoomId;

/** How a state event is refused; undefined if it is not. */
function refusal(
  type: string,
  content: JsonObject,
  stateKey = '',
  version = versionOf('12'),
  levels?: JsonObject,
): unknown {
  const createEvent = makeCreate(version, { additional_creators: [DAVE] });
  try {
    checkStateContent({ type, stateKey, content }, { roomId: ROOM, version, createEvent, levels });
    return undefined;
  } catch (error) {
    const { status, errcode } = error as { status: number; errcode: string };
    expect(status).toBe(400);
    return errcode;
  }
}

const ENCRYPTED = {
  algorithm: 'm.megolm.v1.aes-sha2',
  ciphertext: 'AwgAEnAC',
  session_id: 's',
  sender_key: 'k',
  device_id: 'D',
};
const READ_BY_RULES = [
  'm.room.create',
  'm.room.join_rules',
  'm.room.power_levels',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.member',
  'm.room.third_party_invite',
  'm.room.server_acl',
  'm.room.tombstone',
  'm.room.canonical_alias',
];

it.each(READ_BY_RULES)('%s cannot be encrypted', (type) => {
  expect(refusal(type, ENCRYPTED, type === 'm.room.member' ? ALICE : '')).toBe('M_BAD_JSON');
});

it('a redaction is no state', () => {
  for (const version of ['1', '10', '11', '12']) {
    expect(refusal('m.room.redaction', { redacts: '$event' }, '', versionOf(version))).toBe('M_INVALID_PARAM');
  }
});

it('state that no rule reads may say anything', () => {
  for (const type of ['m.room.name', 'm.room.topic', 'm.odd']) {
    expect(refusal(type, ENCRYPTED)).toBeUndefined();
    expect(refusal(type, { name: 5, topic: {} })).toBeUndefined();
  }
});

const READABLE: readonly (readonly [type: string, content: JsonObject, stateKey?: string])[] = [
  ['m.room.create', {}],
  ['m.room.create', { 'm.federate': false, type: 'm.space', predecessor: { room_id: '!old', event_id: '$e' }, odd: 1 }],
  ['m.room.join_rules', { join_rule: 'public' }],
  ['m.room.join_rules', { join_rule: 'org.example.rule', allow: ['odd', { type: 'm.odd' }], odd: 1 }],
  ['m.room.power_levels', {}],
  ['m.room.power_levels', { users: { [BOB]: 50 }, events: { 'm.room.name': 50 }, ban: -1, notifications: { room: 1 } }],
  ['m.room.history_visibility', { history_visibility: 'invited' }],
  ['m.room.guest_access', { guest_access: 'org.example.some' }],
  ['m.room.member', { membership: 'join', displayname: null, avatar_url: 'mxc://a/b', odd: {} }, ALICE],
  ['m.room.member', { membership: 'knock', third_party_invite: {} }, ALICE],
  ['m.room.third_party_invite', {}, 'token'],
  ['m.room.third_party_invite', { display_name: 'B', public_key: 'k', public_keys: [{ public_key: 'k' }] }, 'token'],
  ['m.room.server_acl', {}],
  ['m.room.server_acl', { allow: ['*'], deny: [], allow_ip_literals: false }],
  ['m.room.server_acl', { allow_ip_literals: 'false' }],
  ['m.room.tombstone', {}],
  ['m.room.tombstone', { body: 'gone', replacement_room: '!other:a.example' }],
  ['m.room.canonical_alias', { alias: null, alt_aliases: null }],
  ['m.room.canonical_alias', { alias: '#a:b', alt_aliases: ['#c:d'] }],
];

it.each(READABLE.map(([type, content, stateKey = '']) => ({ type, content, stateKey })))(
  '$type of $content is readable',
  ({ type, content, stateKey }) => {
    expect(refusal(type, content, stateKey)).toBeUndefined();
  },
);

const UNREADABLE: readonly (readonly [type: string, content: JsonObject, errcode: string, stateKey?: string])[] = [
  ['m.room.create', { 'm.federate': 'no' }, 'M_BAD_JSON'],
  ['m.room.create', { type: 1 }, 'M_BAD_JSON'],
  ['m.room.create', { predecessor: '!old' }, 'M_BAD_JSON'],
  ['m.room.create', { predecessor: {} }, 'M_BAD_JSON'],
  ['m.room.join_rules', {}, 'M_BAD_JSON'],
  ['m.room.join_rules', { join_rule: ['public'] }, 'M_BAD_JSON'],
  ['m.room.join_rules', { join_rule: 'restricted', allow: {} }, 'M_BAD_JSON'],
  ['m.room.power_levels', { ban: '50' }, 'M_BAD_JSON'],
  ['m.room.power_levels', { users: [] }, 'M_BAD_JSON'],
  ['m.room.power_levels', { users: { bob: 50 } }, 'M_BAD_JSON'],
  ['m.room.power_levels', { events: { 'm.room.name': null } }, 'M_BAD_JSON'],
  ['m.room.power_levels', { users: { [ALICE]: 100 } }, 'M_INVALID_PARAM'],
  ['m.room.power_levels', { users: { [DAVE]: 0 } }, 'M_INVALID_PARAM'],
  ['m.room.history_visibility', {}, 'M_BAD_JSON'],
  ['m.room.history_visibility', { history_visibility: 1 }, 'M_BAD_JSON'],
  ['m.room.history_visibility', { history_visibility: 'joint' }, 'M_INVALID_PARAM'],
  ['m.room.guest_access', {}, 'M_BAD_JSON'],
  ['m.room.member', {}, 'M_BAD_JSON', ALICE],
  ['m.room.member', { membership: 'lurk' }, 'M_BAD_JSON', ALICE],
  ['m.room.member', { membership: 'join', displayname: 5 }, 'M_BAD_JSON', ALICE],
  ['m.room.member', { membership: 'invite', third_party_invite: 'x' }, 'M_BAD_JSON', ALICE],
  ['m.room.member', { membership: 'leave' }, 'M_INVALID_PARAM', ''],
  ['m.room.member', { membership: 'leave' }, 'M_INVALID_PARAM', 'nobody'],
  ['m.room.third_party_invite', { public_key: 1 }, 'M_BAD_JSON', 'token'],
  ['m.room.third_party_invite', { public_keys: ['k'] }, 'M_BAD_JSON', 'token'],
  ['m.room.third_party_invite', { public_keys: [{}] }, 'M_BAD_JSON', 'token'],
  ['m.room.server_acl', { allow: '*' }, 'M_BAD_JSON'],
  ['m.room.server_acl', { deny: [1] }, 'M_BAD_JSON'],
  ['m.room.tombstone', { body: {} }, 'M_BAD_JSON'],
  ['m.room.tombstone', { replacement_room: 1 }, 'M_BAD_JSON'],
  ['m.room.tombstone', { replacement_room: 'nowhere' }, 'M_INVALID_PARAM'],
  ['m.room.tombstone', { replacement_room: ROOM }, 'M_INVALID_PARAM'],
  ['m.room.canonical_alias', { alias: 1 }, 'M_BAD_JSON'],
  ['m.room.canonical_alias', { alt_aliases: '#a:b' }, 'M_BAD_JSON'],
];

it.each(UNREADABLE.map(([type, content, errcode, stateKey = '']) => ({ type, content, errcode, stateKey })))(
  '$type of $content is refused: $errcode',
  ({ type, content, errcode, stateKey }) => {
    expect(refusal(type, content, stateKey)).toBe(errcode);
  },
);

describe('what a room version understands', () => {
  it('is readable: creators among the power levels before version 12', () => {
    expect(refusal('m.room.power_levels', { users: { [ALICE]: 100, [DAVE]: 1 } }, '', versionOf('11'))).toBeUndefined();
  });

  it.each(['1', '5', '9'])('is no reason to set levels in text or with a fraction, but to keep them: %s', (id) => {
    const levels = {
      users: { [ALICE]: '100', [BOB]: '5' },
      ban: ' 50',
      events: { 'm.room.name': new JsonNumber('50.7') },
    };
    const version = versionOf(id);
    const set = (content: JsonObject) => refusal('m.room.power_levels', content, '', version, levels);
    expect(set(levels)).toBeUndefined();
    expect(set({ ...levels, users: { ...levels.users, [BOB]: 50 }, ban: 40 })).toBeUndefined();
    const half = new JsonNumber('50.6');
    for (const more of [{ ban: '50' }, { kick: '50' }, { ban: half }, { ban: null }, { ban: 'fifty' }]) {
      expect(set({ ...levels, ...more })).toBe('M_BAD_JSON');
    }
    expect(set({ users: { [ALICE]: '100', [BOB]: '6' } })).toBe('M_BAD_JSON');
    expect(set({ events: { 'm.room.name': half } })).toBe('M_BAD_JSON');
    expect(set({ notifications: { room: '50' } })).toBe('M_BAD_JSON');
  });

  it('is no reason to give a level to who can be no user, but to keep it', () => {
    const version = versionOf('11');
    const users = { [BOB]: 50, '@bob:bad host': 50 };
    const set = (more: JsonObject, levels?: JsonObject) =>
      refusal('m.room.power_levels', { users: { ...users, ...more } }, '', version, levels);
    expect(set({})).toBe('M_BAD_JSON');
    expect(set({}, { users })).toBeUndefined();
    expect(set({ '@eve:bad host': 1 }, { users })).toBe('M_BAD_JSON');
  });
});
