import { describe, expect, it } from 'vitest';
import { JsonNumber, type JsonObject } from '#kernel/json';
import { ALICE, BOB, makeCreate, makeEvent, versionOf, versionsBetween } from '../../test/hand-made-events.js';
import { authStateOf } from './auth-state.js';
import { levelNeeded, levelsToNotify, levelToSend, parseLevel, powerLevelOf } from './power-levels.js';

function stateOf(version: string, levels?: JsonObject, create: JsonObject = {}) {
  const v = versionOf(version);
  const events =
    levels === undefined ? [] : [makeEvent({ type: 'm.room.power_levels', stateKey: '', content: levels }, v)];
  return authStateOf([makeCreate(v, create), ...events]);
}

describe('power levels', () => {
  it('are integers, and before version 10 also integers in strings and truncated floats', () => {
    for (const version of versionsBetween(1, 12)) {
      expect(parseLevel(50, version)).toBe(50);
      expect(parseLevel(-3, version)).toBe(-3);
      for (const none of [undefined, null, true, {}, [], 'x', '', '1.5', '0x10', '1e3', new JsonNumber('1e999')]) {
        expect(parseLevel(none, version)).toBeUndefined();
      }
    }
    for (const version of versionsBetween(1, 9)) {
      expect(['100', '000100', '+100', '-100', ' 00100 ', ' -100 '].map((text) => parseLevel(text, version))).toEqual([
        100, 100, 100, -100, 100, -100,
      ]);
      expect(parseLevel(new JsonNumber('5.114698E4'), version)).toBe(51_146);
      expect(parseLevel(50.57, version)).toBe(50);
      expect(parseLevel(-50.57, version)).toBe(-50);
    }
    for (const version of versionsBetween(10, 12)) {
      for (const none of ['100', 50.57, new JsonNumber('5.1')]) expect(parseLevel(none, version)).toBeUndefined();
    }
  });

  it('are 100 for the creator and 0 for others before there is an event', () => {
    for (const version of versionsBetween(1, 11)) {
      expect(powerLevelOf(ALICE, stateOf(version.id), version)).toBe(100);
      expect(powerLevelOf(BOB, stateOf(version.id), version)).toBe(0);
    }
  });

  it('take the creator from content.creator before version 11 and from the sender since', () => {
    expect(powerLevelOf(BOB, stateOf('10', undefined, { creator: BOB }), versionOf('10'))).toBe(100);
    expect(powerLevelOf(ALICE, stateOf('10', undefined, { creator: BOB }), versionOf('10'))).toBe(0);
    expect(powerLevelOf(ALICE, stateOf('11', undefined, { creator: BOB }), versionOf('11'))).toBe(100);
  });

  it('are infinite for all creators in version 12, whatever the event says', () => {
    const state = stateOf('12', { users: { [BOB]: 10 } }, { additional_creators: [BOB] });
    expect([ALICE, BOB].map((user) => powerLevelOf(user, state, versionOf('12')))).toEqual([Infinity, Infinity]);
    expect(powerLevelOf(ALICE, stateOf('11', { users: {} }), versionOf('11'))).toBe(0);
  });

  it('come from users, then users_default, then 0', () => {
    const version = versionOf('11');
    expect(powerLevelOf(BOB, stateOf('11', { users: { [BOB]: 7 }, users_default: 3 }), version)).toBe(7);
    expect(powerLevelOf('@x:y', stateOf('11', { users: { [BOB]: 7 }, users_default: 3 }), version)).toBe(3);
    expect(powerLevelOf('@x:y', stateOf('11', {}), version)).toBe(0);
  });

  it('needed for an event come from events, then the default for state or messages', () => {
    const version = versionOf('11');
    const state = stateOf('11', { events: { 'm.room.topic': 20 }, state_default: 30, events_default: 5 });
    expect(levelToSend('m.room.topic', true, state, version)).toBe(20);
    expect(levelToSend('m.room.name', true, state, version)).toBe(30);
    expect(levelToSend('m.room.message', false, state, version)).toBe(5);
    for (const bare of [stateOf('11'), stateOf('11', {})]) {
      expect(levelToSend('m.room.name', true, bare, version)).toBe(50);
      expect(levelToSend('m.room.message', false, bare, version)).toBe(0);
    }
    expect(levelToSend('constructor', true, state, version)).toBe(30);
  });

  it('needed for actions have the defaults of the specification', () => {
    const version = versionOf('11');
    const names = ['ban', 'kick', 'redact', 'invite'] as const;
    for (const state of [stateOf('11'), stateOf('11', {})]) {
      expect(names.map((name) => levelNeeded(name, state, version))).toEqual([50, 50, 50, 0]);
    }
    expect(levelNeeded('ban', stateOf('11', { ban: 10 }), version)).toBe(10);
  });

  it('that grant notifications are those that the power levels say, as the room version understands them', () => {
    const levels = { notifications: { room: 1, other: '20', bad: {} } };
    expect(levelsToNotify(stateOf('11', {}), versionOf('11'))).toEqual({});
    expect(levelsToNotify(stateOf('11', levels), versionOf('11'))).toEqual({ room: 1 });
    expect(levelsToNotify(stateOf('9', levels), versionOf('9'))).toEqual({ room: 1, other: 20 });
  });
});
