import { describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '#kernel/json';
import {
  ALICE,
  BOB,
  CAROL,
  CREATE_ID,
  DAVE,
  makeCreate,
  makeEvent,
  member,
  versionOf,
  versionsBetween,
  type EventDraft,
} from '../../test/hand-made-events.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { authStateOf } from './auth-state.js';
import { findAuthRefusal } from './authorize-event.js';

interface Room {
  readonly members?: Readonly<Record<string, string>>;
  readonly joinRule?: JsonValue;
  readonly levels?: JsonObject;
  readonly create?: JsonObject;
}

function refusal(draft: EventDraft, version: RoomVersion, { members = {}, joinRule, levels, create }: Room) {
  const drafts = Object.entries({ [ALICE]: 'join', ...members }).map(([user, membership]) => member(user, membership));
  if (joinRule !== undefined) {
    drafts.push({ type: 'm.room.join_rules', stateKey: '', content: { join_rule: joinRule } });
  }
  if (levels !== undefined) drafts.push({ type: 'm.room.power_levels', stateKey: '', content: levels });
  const state = authStateOf([makeCreate(version, create), ...drafts.map((each) => makeEvent(each, version))]);
  return findAuthRefusal(makeEvent(draft, version), version, state);
}

const allows = (draft: EventDraft, version: RoomVersion, room: Room) => refusal(draft, version, room) === undefined;
const MEMBERSHIPS = ['join', 'invite', 'leave', 'ban', 'knock'];

/** From which memberships a user gets through with an event, in a room. */
function allowedFrom(draft: EventDraft, version: RoomVersion, user: string, room: Room): string[] {
  return MEMBERSHIPS.filter((now) => allows(draft, version, { ...room, members: { ...room.members, [user]: now } }));
}

/** A room with Carol in it, Bob joined unless said otherwise. */
function roomWith(levels: JsonObject, bob = 'join'): Room {
  return { members: { [CAROL]: 'join', [BOB]: bob }, levels };
}

describe.each(versionsBetween(1, 12))('membership in room version $id', (version) => {
  it('needs a state key and a known membership', () => {
    expect(refusal(member(BOB, 'join', { stateKey: undefined }), version, {})).toContain('state key');
    expect(refusal({ type: 'm.room.member', stateKey: BOB }, version, {})).toContain('needs a membership');
    expect(refusal(member(BOB, 'dance'), version, {})).toContain('unknown');
  });

  it('lets the creator join first, and nobody else', () => {
    const first = { prev: [CREATE_ID] };
    expect(allows(member(ALICE, 'join', first), version, { members: { [ALICE]: 'leave' } })).toBe(true);
    expect(allows(member(BOB, 'join', first), version, {})).toBe(false);
    const later = { prev: [CREATE_ID, '$other:example.com'] };
    expect(allows(member(ALICE, 'join', later), version, { members: { [ALICE]: 'leave' } })).toBe(false);
  });

  it('lets those who are invited or joined join a room by invitation', () => {
    expect(allowedFrom(member(BOB, 'join'), version, BOB, { joinRule: 'invite' })).toEqual(['join', 'invite']);
    expect(allowedFrom(member(BOB, 'join'), version, BOB, {})).toEqual(['join', 'invite']);
  });

  it('lets everybody join a public room who is not banned', () => {
    const allowed = ['join', 'invite', 'leave', 'knock'];
    expect(allowedFrom(member(BOB, 'join'), version, BOB, { joinRule: 'public' })).toEqual(allowed);
  });

  it('lets nobody join for somebody else, or by a rule that is not known', () => {
    const room = { joinRule: 'public', members: { [BOB]: 'invite' } };
    expect(allows(member(BOB, 'join', { sender: ALICE }), version, room)).toBe(false);
    expect(allows(member(BOB, 'join'), version, { ...room, joinRule: 'private' })).toBe(false);
    for (const joinRule of [null, 5, {}, ['invite']]) {
      expect(allows(member(BOB, 'join'), version, { ...room, joinRule })).toBe(false);
    }
  });

  it('lets members invite who have the invite level, unless the target is in or banned', () => {
    const invite = member(BOB, 'invite', { sender: CAROL });
    const room = { members: { [CAROL]: 'join' }, levels: { users: { [CAROL]: 10 }, invite: 10 } };
    expect(allowedFrom(invite, version, BOB, room)).toEqual(['invite', 'leave', 'knock']);
    expect(allows(invite, version, { ...room, levels: { ...room.levels, invite: 11 } })).toBe(false);
    expect(allowedFrom(invite, version, CAROL, room)).toEqual(['join']);
  });

  it('lets users leave from inside only', () => {
    const expected = version.knocking ? ['join', 'invite', 'knock'] : ['join', 'invite'];
    expect(allowedFrom(member(BOB, 'leave'), version, BOB, {})).toEqual(expected);
  });

  it('lets members kick those below them who have the kick level', () => {
    const kick = member(BOB, 'leave', { sender: CAROL });
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 50 } }))).toBe(true);
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 49 } }))).toBe(false);
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 50, [BOB]: 50 } }))).toBe(false);
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 50 }, kick: 51 }))).toBe(false);
    expect(allowedFrom(kick, version, CAROL, roomWith({ users: { [CAROL]: 50 } }))).toEqual(['join']);
    // To unban takes the ban level too.
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 50 } }, 'ban'))).toBe(true);
    expect(allows(kick, version, roomWith({ users: { [CAROL]: 50 }, ban: 51 }, 'ban'))).toBe(false);
  });

  it('lets members ban those below them who have the ban level', () => {
    const ban = member(BOB, 'ban', { sender: CAROL });
    expect(allowedFrom(ban, version, BOB, roomWith({ users: { [CAROL]: 50 } }))).toEqual(MEMBERSHIPS);
    expect(allowedFrom(ban, version, CAROL, roomWith({ users: { [CAROL]: 50 } }))).toEqual(['join']);
    expect(allows(ban, version, roomWith({ users: { [CAROL]: 50 }, ban: 51 }))).toBe(false);
    expect(allows(ban, version, roomWith({ users: { [CAROL]: 50, [BOB]: 50 } }))).toBe(false);
  });
});

describe('knocking', () => {
  const knock = member(BOB, 'knock');

  it('is unknown before version 7', () => {
    for (const version of versionsBetween(1, 6)) {
      expect(refusal(knock, version, { joinRule: 'knock' })).toContain('unknown');
      expect(allowedFrom(member(BOB, 'join'), version, BOB, { joinRule: 'knock' })).toEqual([]);
    }
  });

  it('is for those outside a room that takes knocks, who join once invited', () => {
    for (const version of versionsBetween(7, 12)) {
      expect(allowedFrom(knock, version, BOB, { joinRule: 'knock' })).toEqual(['leave', 'knock']);
      expect(allowedFrom(member(BOB, 'join'), version, BOB, { joinRule: 'knock' })).toEqual(['join', 'invite']);
      for (const joinRule of ['invite', 'public', 'restricted'])
        expect(allows(knock, version, { joinRule })).toBe(false);
      expect(allows(member(BOB, 'knock', { sender: ALICE }), version, { joinRule: 'knock' })).toBe(false);
    }
  });

  it('goes together with restricted joins from version 10 on', () => {
    const join = member(BOB, 'join');
    for (const version of versionsBetween(7, 12)) {
      const known = version.knockRestrictedJoins;
      expect(allowedFrom(knock, version, BOB, { joinRule: 'knock_restricted' })).toEqual(
        known ? ['leave', 'knock'] : [],
      );
      expect(allowedFrom(join, version, BOB, { joinRule: 'knock_restricted' })).toEqual(
        known ? ['join', 'invite'] : [],
      );
    }
  });
});

describe('restricted joins', () => {
  const join = member(BOB, 'join', { content: { join_authorised_via_users_server: CAROL } });
  const room = { joinRule: 'restricted', members: { [CAROL]: 'join' }, levels: { users: { [CAROL]: 5 }, invite: 5 } };

  it('are not known before version 8', () => {
    for (const version of versionsBetween(1, 7)) expect(allowedFrom(join, version, BOB, room)).toEqual([]);
  });

  it('need a member with the invite level to authorise them', () => {
    for (const version of versionsBetween(8, 12)) {
      expect(allowedFrom(join, version, BOB, room)).toEqual(['join', 'invite', 'leave', 'knock']);
      expect(allowedFrom(join, version, CAROL, room)).toEqual(['join']);
      expect(allows(join, version, { ...room, levels: { ...room.levels, invite: 6 } })).toBe(false);
      expect(allowedFrom(member(BOB, 'join'), version, BOB, room)).toEqual(['join', 'invite']);
      expect(allows(member(BOB, 'join', { content: { join_authorised_via_users_server: 1 } }), version, room)).toBe(
        false,
      );
    }
  });
});

describe('creators in version 12', () => {
  const room: Room = { create: { additional_creators: [BOB] }, members: { [BOB]: 'join', [CAROL]: 'join' } };
  const levels = { users: { [CAROL]: 1_000_000 } };

  it('are above everybody else, but not above each other', () => {
    const twelve = versionOf('12');
    for (const [sender, target, allowed] of [
      [BOB, CAROL, true],
      [CAROL, BOB, false],
      [CAROL, ALICE, false],
      [ALICE, BOB, false],
      [CAROL, DAVE, true],
    ] as const) {
      const inside = { ...room, levels, members: { ...room.members, [DAVE]: 'join' } };
      expect(allows(member(target, 'leave', { sender }), twelve, inside)).toBe(allowed);
    }
  });
});
