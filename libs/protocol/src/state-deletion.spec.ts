import { describe, expect, it } from 'vitest';
import type { RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import {
  ALICE,
  BOB,
  CAROL,
  makeCreate,
  makeEvent,
  member,
  roomIdOf,
  versionOf,
  versionsBetween,
} from '../test/hand-made-events.js';
import { authStateOf } from './event-auth/auth-state.js';
import { findAuthRefusal } from './event-auth/authorize-event.js';
import { checkStateContent } from './event-auth/check-state-content.js';
import { isStateDeletion } from './state-deletion.js';

const own = versionOf('dev.annals.12.deletion');
const DELETION: JsonObject = { 'dev.annals.deleted': true };
const LASTING = [
  'm.room.create',
  'm.room.member',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.third_party_invite',
  'm.room.encryption',
];

/** Why a deletion is refused in a room of Alice, who made it, Bob, a moderator of level 50, and Carol. */
function refusal(type: string, { sender = ALICE, stateKey = '', version = own } = {}): string | undefined {
  const levels = { users: { [BOB]: 50 }, events: { 'm.room.server_acl': 100 }, state_default: 50 };
  const drafts = [
    ...[ALICE, BOB, CAROL].map((user) => member(user, 'join')),
    { type: 'm.room.power_levels', stateKey: '', content: levels },
  ];
  const state = authStateOf([makeCreate(version), ...drafts.map((draft) => makeEvent(draft, version))]);
  return findAuthRefusal(makeEvent({ type, stateKey, sender, content: DELETION }, version), version, state);
}

describe('a state event that deletes its key', () => {
  it('is one in the room version that has deletion, with the mark and nothing like it', () => {
    expect(isStateDeletion({ stateKey: '', content: DELETION }, own)).toBe(true);
    expect(isStateDeletion({ stateKey: undefined, content: DELETION }, own)).toBe(false);
    for (const value of [1, 'true', null, {}, false]) {
      expect(isStateDeletion({ stateKey: '', content: { 'dev.annals.deleted': value } }, own)).toBe(false);
    }
    for (const version of versionsBetween(1, 12)) {
      expect(isStateDeletion({ stateKey: '', content: DELETION }, version)).toBe(false);
    }
  });

  it('needs the power level that it takes to set the key', () => {
    expect(refusal('m.room.topic', { sender: BOB })).toBeUndefined();
    expect(refusal('m.room.topic', { sender: CAROL })).toContain('power level 50');
    expect(refusal('m.room.server_acl', { sender: BOB })).toContain('power level 100');
    expect(refusal('m.room.topic', { sender: '@stranger:example.com' })).toBe('You are not in this room');
    expect(refusal('org.example.of_users', { stateKey: BOB })).toBe('The state key is another user');
  });

  it('deletes nothing that events are authorised by, and no encryption, whoever asks', () => {
    for (const type of LASTING) expect(refusal(type)).toBe(`${type} cannot be deleted`);
    expect(refusal('m.room.member', { stateKey: ALICE })).toBe('m.room.member cannot be deleted');
  });

  it('is like any other content where there is no deletion', () => {
    const version = versionOf('12');
    for (const type of ['m.room.topic', 'm.room.join_rules', 'm.room.encryption', 'm.room.power_levels']) {
      expect(refusal(type, { version })).toBeUndefined();
    }
  });

  it('is not asked for what state of its type has to say', () => {
    const check = (type: string, id = own.id): void => {
      const version = versionOf(id);
      const room = { roomId: roomIdOf(version) as RoomId, version, createEvent: undefined };
      checkStateContent({ type, stateKey: '', content: DELETION }, room);
    };
    expect(() => check('m.room.history_visibility')).not.toThrow();
    expect(() => check('m.room.history_visibility', '12')).toThrow('must be a string');
    for (const type of LASTING) {
      expect(() => check(type)).toThrow(new MatrixError('M_INVALID_PARAM', `${type}: cannot be deleted`));
    }
    expect(() => check('m.room.redaction')).toThrow('is not state');
  });
});
