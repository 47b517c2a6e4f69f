import { describe, expect, it } from 'vitest';
import {
  ALICE,
  BOB,
  makeCreate,
  makeEvent,
  member,
  versionOf,
  versionsBetween,
  type EventDraft,
} from '../../test/hand-made-events.js';
import type { RoomVersion } from '../room-versions/room-version.js';
import { checkAuthEvents } from './check-auth-events.js';

const never = () => false;

function authEventsOf(version: RoomVersion, ...more: EventDraft[]) {
  const drafts = [member(ALICE, 'join'), { type: 'm.room.power_levels', stateKey: '' }, ...more];
  const events = drafts.map((draft) => makeEvent(draft, version));
  return version.roomIdIsCreateHash ? events : [makeCreate(version), ...events];
}

describe.each(versionsBetween(1, 12))('auth events in room version $id', (version) => {
  const message = makeEvent({ type: 'm.room.message' }, version);

  it('may be those of the selection', () => {
    expect(() => checkAuthEvents(message, authEventsOf(version), version, never)).not.toThrow();
    expect(() => checkAuthEvents(makeCreate(version), [], version, never)).not.toThrow();
  });

  it('may not hold a key twice', () => {
    const twice = authEventsOf(version, member(ALICE, 'join', { id: '$again' }));
    expect(() => checkAuthEvents(message, twice, version, never)).toThrow('twice');
  });

  it('may not hold what the selection does not name', () => {
    for (const draft of [member(BOB, 'join'), { type: 'm.room.topic', stateKey: '' }, { type: 'm.room.message' }]) {
      expect(() => checkAuthEvents(message, authEventsOf(version, draft), version, never)).toThrow('does not belong');
    }
  });

  it('may not hold a rejected event', () => {
    const events = authEventsOf(version);
    for (const { eventId } of events) {
      expect(() => checkAuthEvents(message, events, version, (id) => id === eventId)).toThrow('was rejected');
    }
  });

  it('may not hold an event of another room', () => {
    const other = makeEvent(member(ALICE, 'join', { roomId: '!other:example.com' }), version);
    expect(() => checkAuthEvents(message, [...createOf(version), other], version, never)).toThrow('another room');
  });
});

describe('auth events', () => {
  it('hold the create event before version 12', () => {
    const [create, ...others] = authEventsOf(versionOf('11'));
    const message = makeEvent({ type: 'm.room.message' }, versionOf('11'));
    expect(() => checkAuthEvents(message, others, versionOf('11'), never)).toThrow('no create event');
    expect(() => checkAuthEvents(message, create === undefined ? [] : [create], versionOf('11'), never)).not.toThrow();
  });

  it('do not hold the create event from version 12 on', () => {
    const version = versionOf('12');
    const message = makeEvent({ type: 'm.room.message' }, version);
    const events = [makeCreate(version), ...authEventsOf(version)];
    expect(() => checkAuthEvents(message, events, version, never)).toThrow('does not belong');
  });
});

function createOf(version: RoomVersion) {
  return version.roomIdIsCreateHash ? [] : [makeCreate(version)];
}

describe('a restricted join', () => {
  const content = { join_authorised_via_users_server: ALICE };
  const join = (signatures: Record<string, Record<string, string>>) =>
    member(BOB, 'join', { content, pdu: { signatures } });
  const signed = join({ 'example.com': { 'ed25519:1': 'x' } });
  const unsigned = join({ 'elsewhere.com': { 'ed25519:1': 'x' } });

  it('carries a signature of the server that authorises it, from version 8 on', () => {
    for (const version of versionsBetween(8, 12)) {
      const check = (draft: EventDraft) =>
        checkAuthEvents(makeEvent(draft, version), createOf(version), version, never);
      expect(() => check(signed)).not.toThrow();
      for (const draft of [unsigned, join({ 'example.com': {} })]) expect(() => check(draft)).toThrow('not signed');
    }
    const seven = versionOf('7');
    expect(() => checkAuthEvents(makeEvent(unsigned, seven), createOf(seven), seven, never)).not.toThrow();
  });
});
