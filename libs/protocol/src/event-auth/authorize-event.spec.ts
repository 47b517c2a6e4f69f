import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import {
  ALICE,
  BOB,
  CAROL,
  CREATE_ID,
  makeCreate,
  makeEvent,
  member,
  roomIdOf,
  versionOf,
  versionsBetween,
  type EventDraft,
} from '../../test/hand-made-events.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { authStateOf, type AuthState } from './auth-state.js';
import { checkEventAuth, findAuthRefusal } from './authorize-event.js';

const LEVELS = { users: { [BOB]: 50 }, events_default: 10, users_default: 10 };

function stateOf(version: RoomVersion, create: JsonObject = {}, levels: JsonObject = LEVELS): AuthState {
  const drafts = [
    member(ALICE, 'join'),
    member(BOB, 'join'),
    member(CAROL, 'join'),
    { type: 'm.room.power_levels', stateKey: '', content: levels },
  ];
  return authStateOf([makeCreate(version, create), ...drafts.map((draft) => makeEvent(draft, version))]);
}

function refusal(draft: EventDraft, version: RoomVersion, state = stateOf(version)) {
  return findAuthRefusal(makeEvent(draft, version), version, state);
}

const topic: EventDraft = { type: 'm.room.topic', stateKey: '', sender: BOB };
const message: EventDraft = { type: 'm.room.message', sender: CAROL };

function refusesCreators(list: unknown, id: string): boolean {
  const create = makeCreate(versionOf(id), { additional_creators: list as string[] });
  return findAuthRefusal(create, versionOf(id), authStateOf([])) !== undefined;
}

function redaction(redacts: string, sender = CAROL): EventDraft {
  return { type: 'm.room.redaction', id: '$redaction:elsewhere.com', sender, redacts };
}

describe.each(versionsBetween(1, 12))('authorisation in room version $id', (version) => {
  const check = (event: EventDraft, create?: JsonObject) =>
    checkEventAuth(makeEvent(event, version), version, stateOf(version, create));

  it('allows a create event that is well-formed', () => {
    const room = version.roomIdIsCreateHash ? {} : { room_id: roomIdOf(version) };
    expect(findAuthRefusal(makeCreate(version, {}, { pdu: room }), version, authStateOf([]))).toBeUndefined();
  });

  it('refuses a create event with previous events or of another version', () => {
    const refused = (event = makeCreate(version)) => findAuthRefusal(event, version, authStateOf([]));
    expect(refused(makeCreate(version, {}, { prev: ['$a'] }))).toContain('previous events');
    expect(refused(makeCreate(version, { room_version: 'unknown' }))).toContain('room version');
    for (const named of [1, null])
      expect(refused(makeCreate(version, { room_version: named }))).toContain('room version');
    // "Defaults to "1" if the key does not exist".
    expect(refused(makeCreate(version, { room_version: undefined })) === undefined).toBe(version === versionOf('1'));
  });

  it('refuses everything where there is no create event', () => {
    expect(refusal(message, version, authStateOf([makeEvent(member(CAROL, 'join'), version)]))).toContain(
      'create event',
    );
  });

  it('throws M_FORBIDDEN with the reason', () => {
    expect(() => check({ ...message, sender: '@stranger:example.com' })).toThrow(
      new MatrixError('M_FORBIDDEN', 'You are not in this room'),
    );
    expect(() => check(message)).not.toThrow();
  });

  it('refuses senders of other servers where m.federate is false', () => {
    expect(() => check(message, { 'm.federate': false })).toThrow('not open to other servers');
    expect(() => check({ ...message, sender: BOB }, { 'm.federate': false })).not.toThrow();
    expect(() => check(message, { 'm.federate': true })).not.toThrow();
  });

  it('refuses senders below the level that the type needs', () => {
    expect(refusal(topic, version)).toBeUndefined();
    expect(refusal({ ...topic, sender: CAROL }, version)).toBe(
      'You need power level 50 to send m.room.topic, yours is 10',
    );
    expect(refusal(message, version, stateOf(version, {}, { events_default: 1 }))).toContain('power level 1');
    const own = { ...LEVELS, events: { 'm.room.topic': 10 } };
    expect(refusal({ ...topic, sender: CAROL }, version, stateOf(version, {}, own))).toBeUndefined();
  });

  it('refuses the state key of another user', () => {
    expect(refusal({ ...topic, stateKey: BOB }, version)).toBeUndefined();
    expect(refusal({ ...topic, stateKey: '@bob' }, version)).toContain('another user');
    expect(refusal({ ...topic, stateKey: `x${CAROL}` }, version)).toBeUndefined();
  });

  it('asks the invite level for third-party invites, whatever events says', () => {
    const offer = { type: 'm.room.third_party_invite', stateKey: 'token', sender: CAROL };
    const levels = { ...LEVELS, events: { 'm.room.third_party_invite': 0 } };
    expect(refusal(offer, version, stateOf(version, {}, { ...levels, invite: 10 }))).toBeUndefined();
    expect(refusal(offer, version, stateOf(version, {}, { ...levels, invite: 11 }))).toContain('to invite');
  });
});

describe('a create event', () => {
  it("is for a room id of the sender's server before version 12", () => {
    for (const version of versionsBetween(1, 11)) {
      const create = makeCreate(version, {}, { roomId: '!room:elsewhere.com' });
      expect(findAuthRefusal(create, version, authStateOf([]))).toContain("sender's server");
    }
  });

  it('names its creator before version 11', () => {
    for (const version of versionsBetween(1, 10)) {
      expect(findAuthRefusal(makeCreate(version, { creator: undefined }), version, authStateOf([]))).toContain(
        'creator',
      );
    }
  });

  it('may leave the room version out', () => {
    const create = makeCreate(versionOf('1'), { room_version: undefined });
    expect(findAuthRefusal(create, versionOf('1'), authStateOf([]))).toBeUndefined();
  });

  it('has no room id in version 12', () => {
    const create = makeCreate(versionOf('12'), {}, { pdu: { room_id: '!room:example.com' } });
    expect(findAuthRefusal(create, versionOf('12'), authStateOf([]))).toContain('room ID');
  });

  it('has user ids only among its additional creators in version 12', () => {
    expect([[], [BOB], [BOB, CAROL]].map((list) => refusesCreators(list, '12'))).toEqual([false, false, false]);
    expect(['x', null, [1], ['bob'], [BOB, '@x']].map((list) => refusesCreators(list, '12'))).toEqual(
      Array(5).fill(true),
    );
    expect(refusesCreators('x', '11')).toBe(false);
  });
});

describe('the room id in version 12', () => {
  it('is that of the create event', () => {
    const version = versionOf('12');
    expect(refusal(message, version)).toBeUndefined();
    for (const roomId of ['!other:example.com', `?${CREATE_ID.slice(1)}`, `!x${CREATE_ID.slice(1)}`]) {
      expect(refusal({ ...message, roomId }, version)).toContain('room ID');
    }
  });
});

describe('m.room.aliases', () => {
  const aliases = { type: 'm.room.aliases', sender: '@stranger:elsewhere.com', stateKey: 'elsewhere.com' };

  it('is allowed to any server for itself before version 6, even to those who are not in the room', () => {
    for (const version of versionsBetween(1, 5)) {
      expect(refusal(aliases, version)).toBeUndefined();
      expect(refusal({ ...aliases, stateKey: 'example.com' }, version)).toContain("sender's server");
      expect(refusal({ ...aliases, stateKey: undefined }, version)).toContain('state key');
    }
  });

  it('has no rule of its own from version 6 on', () => {
    for (const version of versionsBetween(6, 12)) {
      expect(refusal(aliases, version)).toContain('not in this room');
      expect(refusal({ ...aliases, sender: BOB }, version)).toBeUndefined();
    }
  });
});

describe('m.room.redaction', () => {
  it('needs the redact level or an event of the same server in versions 1 and 2', () => {
    for (const version of versionsBetween(1, 2)) {
      expect(refusal(redaction('$m:elsewhere.com'), version)).toBeUndefined();
      expect(refusal(redaction('$m:example.com'), version)).toContain('redact');
      expect(refusal(redaction('$m:example.com', BOB), version)).toBeUndefined();
    }
  });

  it('is as any other event from version 3 on', () => {
    for (const version of versionsBetween(3, 12)) expect(refusal(redaction('$m'), version)).toBeUndefined();
  });
});
