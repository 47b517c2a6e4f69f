import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import {
  ALICE,
  BOB,
  CAROL,
  DAVE,
  makeCreate,
  makeEvent,
  member,
  versionOf,
  versionsBetween,
} from '../../test/hand-made-events.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { authStateOf } from './auth-state.js';
import { findAuthRefusal } from './authorize-event.js';

/** What becomes of Bob's change of the power levels. */
function change(version: RoomVersion, before: JsonObject | undefined, after: JsonObject, sender = BOB) {
  const drafts = [member(ALICE, 'join'), member(BOB, 'join'), member(CAROL, 'join')];
  if (before !== undefined) drafts.push({ type: 'm.room.power_levels', stateKey: '', content: before });
  const create = makeCreate(version, { additional_creators: [DAVE] });
  const state = authStateOf([create, ...drafts.map((draft) => makeEvent(draft, version))]);
  const event = makeEvent({ type: 'm.room.power_levels', stateKey: '', sender, content: after }, version);
  return findAuthRefusal(event, version, state);
}

const USERS = { [BOB]: 50, [CAROL]: 50 };
const BASE = { users: USERS, ban: 60, kick: 50, events: { 'm.room.name': 60, 'm.room.topic': 50 } };
const MAX = Number.MAX_SAFE_INTEGER;

describe.each(versionsBetween(1, 12))('power levels in room version $id', (version) => {
  const refuses = (after: JsonObject, before: JsonObject = BASE) => change(version, before, after) !== undefined;

  it('may be anything well-formed the first time', () => {
    const first = change(version, undefined, { users: { [CAROL]: MAX }, ban: MAX, invite: -MAX }, ALICE);
    expect(first).toBeUndefined();
  });

  it('may be changed up to the own level, from levels up to the own', () => {
    expect(refuses(BASE)).toBe(false);
    expect(refuses({ ...BASE, kick: 0 })).toBe(false);
    expect(refuses({ ...BASE, kick: 51 })).toBe(true);
    expect(refuses({ ...BASE, ban: 50 })).toBe(true);
    expect(refuses({ ...BASE, ban: undefined })).toBe(true);
    expect(refuses({ ...BASE, redact: 50 })).toBe(false);
    expect(refuses({ ...BASE, redact: 51 })).toBe(true);
    for (const name of ['users_default', 'events_default', 'state_default', 'invite']) {
      expect([50, 51].map((level) => refuses({ ...BASE, [name]: level }))).toEqual([false, true]);
      const before = { ...BASE, events: { ...BASE.events, 'm.room.power_levels': 0 }, [name]: 51 };
      expect(refuses({ ...before, [name]: 50 }, before)).toBe(true);
      expect(refuses({ ...before, kick: 0 }, before)).toBe(false);
    }
  });

  it('of event types follow the same rule', () => {
    const events = (map: JsonObject) => refuses({ ...BASE, events: { ...BASE.events, ...map } });
    expect(events({ 'm.room.topic': 0 })).toBe(false);
    expect(events({ 'm.room.topic': undefined })).toBe(false);
    expect(events({ 'm.room.topic': 51 })).toBe(true);
    expect(events({ 'm.room.name': 50 })).toBe(true);
    expect(events({ 'm.room.name': undefined })).toBe(true);
    expect(events({ 'x.new': 50 })).toBe(false);
    expect(events({ 'x.new': 51 })).toBe(true);
    expect(events({ constructor: 51 })).toBe(true);
    expect(refuses({ ...BASE, events: undefined })).toBe(true);
  });

  it('of users may be given up to the own level, and taken from those below only', () => {
    const users = (map: JsonObject) => refuses({ ...BASE, users: { ...USERS, ...map } });
    expect(users({ [ALICE]: 50 })).toBe(version.privilegedCreators);
    expect(users({ '@eve:x': 50 })).toBe(false);
    expect(users({ '@eve:x': 51 })).toBe(true);
    expect(users({ [CAROL]: 0 })).toBe(true);
    expect(users({ [CAROL]: undefined })).toBe(true);
    expect(users({ [BOB]: 0 })).toBe(false);
    expect(users({ [BOB]: undefined })).toBe(false);
    expect(users({ [BOB]: 51 })).toBe(true);
    const low = { ...BASE, users: { [BOB]: 50, [CAROL]: 49 } };
    expect(refuses({ ...low, users: { [BOB]: 50 } }, low)).toBe(false);
    expect(refuses({ ...low, users: { [BOB]: 50, [CAROL]: 51 } }, low)).toBe(true);
  });

  it('have users with valid ids and levels only', () => {
    for (const users of [
      [],
      'x',
      1,
      null,
      { bob: 1 },
      { '@bob': 1 },
      { '': 1 },
      { [BOB]: 'x' },
      { [BOB]: null },
      { [BOB]: {} },
    ]) {
      expect(refuses({ ...BASE, users: users as JsonObject })).toBe(true);
      expect(change(version, undefined, { users: users as JsonObject }, ALICE)).toBeDefined();
    }
  });

  it('may name users of servers that could not be: rooms in use do, and most servers let them', () => {
    for (const user of ['@eve:', '@:x', '@eve:x ', '@eve:bad host/', `@${'e'.repeat(300)}:x`]) {
      expect(refuses({ ...BASE, users: { ...USERS, [user]: 50 } })).toBe(false);
      expect(change(version, undefined, { users: { [user]: 1 } }, ALICE)).toBeUndefined();
    }
  });

  it('that are not levels at all are refused', () => {
    for (const odd of ['x', true, [], {}]) {
      expect(refuses({ ...BASE, invite: odd })).toBe(true);
      expect(refuses({ ...BASE, events: { ...BASE.events, x: odd } })).toBe(true);
    }
    expect(refuses({ ...BASE, events: [] })).toBe(true);
  });

  it(
    version.integerPowerLevels ? 'are integers, not strings or null' : 'may be strings, and null counts as absent',
    () => {
      const expected = version.integerPowerLevels;
      expect(refuses({ ...BASE, invite: '0' })).toBe(expected);
      expect(refuses({ ...BASE, users: { ...USERS, [BOB]: '50' } })).toBe(expected);
      expect(refuses({ ...BASE, events: { ...BASE.events, 'm.room.topic': ' +050 ' } })).toBe(expected);
      expect(refuses({ ...BASE, invite: null })).toBe(expected);
      expect(refuses({ ...BASE, ban: '60', kick: '50' })).toBe(expected);
    },
  );

  it(`of notifications are ${version.limitNotificationsPowerLevels ? '' : 'not '}checked`, () => {
    const before = { ...BASE, notifications: { room: 60, other: 50 } };
    const expected = version.limitNotificationsPowerLevels;
    expect(refuses({ ...before, notifications: { room: 50, other: 50 } }, before)).toBe(expected);
    expect(refuses({ ...before, notifications: { room: 60, other: 51 } }, before)).toBe(expected);
    expect(refuses({ ...before, notifications: { room: 60, other: 0 } }, before)).toBe(false);
    expect(refuses({ ...before, notifications: [] }, before)).toBe(expected);
  });
});

describe('power levels in version 12', () => {
  it('never name a creator, and a creator may change all of them', () => {
    const twelve = versionOf('12');
    for (const creator of [ALICE, DAVE]) {
      expect(change(twelve, BASE, { ...BASE, users: { ...USERS, [creator]: 1 } }, ALICE)).toContain('creator');
      expect(change(twelve, undefined, { users: { [creator]: 1 } }, ALICE)).toContain('creator');
    }
    expect(change(twelve, BASE, { ban: MAX, users: { [BOB]: MAX } }, ALICE)).toBeUndefined();
  });
});
