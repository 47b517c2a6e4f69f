import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#kernel/json';
import { ALICE, BOB, CAROL, makeCreate, makeEvent, member, versionsBetween } from '../test/hand-made-events.js';
import { authStateOf } from './event-auth/auth-state.js';
import { hidingReasonOf, mayChangeVisibility, visibilityChangeOf } from './message-visibility.js';

const UNSTABLE = 'org.matrix.msc3531.visibility';

describe('what an event says of the visibility of another', () => {
  const of = (type: string, relation: JsonObject, more: JsonObject = {}, stateKey?: string): unknown =>
    visibilityChangeOf({ type, stateKey, content: { ...more, 'm.relates_to': { event_id: '$it', ...relation } } });

  it.each(['m.visibility', UNSTABLE])('is that of a reference of the type %s, in the relation or beside it', (type) => {
    const hides = { target: '$it', isVisible: false };
    expect(of(type, { rel_type: 'm.reference', visible: false })).toEqual(hides);
    expect(of(type, { rel_type: 'm.reference' }, { visible: false })).toEqual(hides);
    expect(of(type, { rel_type: 'm.reference', visible: true })).toEqual({ target: '$it', isVisible: true });
    expect(of(type, { rel_type: 'm.reference' }, { visible: 0 })).toBeUndefined();
    expect(of(type, { rel_type: 'm.annotation', visible: false })).toBeUndefined();
    expect(of(type, { rel_type: 'm.reference', visible: false }, {}, '')).toBeUndefined();
  });

  it('is that of a relation of the name, whatever the type', () => {
    const hides = { target: '$it', isVisible: false };
    expect(of('m.room.message', { rel_type: 'm.visibility', visibility: 'hidden' })).toEqual(hides);
    expect(of('m.room.encrypted', { rel_type: UNSTABLE, [UNSTABLE]: 'hidden' })).toEqual(hides);
    expect(of('m.room.message', { rel_type: 'm.visibility', visibility: 'gone' })).toBeUndefined();
    expect(of('m.room.message', { rel_type: 'm.visibility' })).toBeUndefined();
    expect(of('m.room.message', { rel_type: 'm.visibility', visibility: 'hidden', event_id: 'it' })).toBeUndefined();
    expect(visibilityChangeOf({ type: 'm.visibility', content: { 'm.relates_to': 'it' } })).toBeUndefined();
  });

  it('may have a reason, which is a text', () => {
    expect(hidingReasonOf({ reason: 'spam' })).toBe('spam');
    expect(hidingReasonOf({ 'org.matrix.msc3531.reason': 'spam' })).toBe('spam');
    expect(hidingReasonOf({ 'm.relates_to': { reason: 'spam' } })).toBe('spam');
    for (const content of [{}, { reason: 5 }, { 'm.relates_to': 'spam' }])
      expect(hidingReasonOf(content)).toBeUndefined();
  });
});

describe.each(versionsBetween(1, 12))('who may hide in room version $id', (version) => {
  /** Whether Bob may, who has level 50, and Carol, who has none. */
  const may = (levels: JsonObject | undefined): boolean[] => {
    const drafts = [member(ALICE, 'join'), member(BOB, 'join'), member(CAROL, 'join')];
    if (levels !== undefined) drafts.push({ type: 'm.room.power_levels', stateKey: '', content: levels });
    const state = authStateOf([makeCreate(version), ...drafts.map((draft) => makeEvent(draft, version))]);
    return [ALICE, BOB, CAROL].map((userId) => mayChangeVisibility(userId, state, version));
  };
  const users = { [BOB]: 50, ...(version.privilegedCreators ? {} : { [ALICE]: 100 }) };

  it('has the level that it takes to set state of that type, under either name', () => {
    expect(may(undefined)).toEqual([true, false, false]);
    expect(may({ users })).toEqual([true, true, false]);
    expect(may({ users, events_default: 0, state_default: 60 })).toEqual([true, false, false]);
    expect(may({ users, events: { 'm.visibility': 60 } })).toEqual([true, true, false]);
    expect(may({ users, events: { 'm.visibility': 60, [UNSTABLE]: 60 } })).toEqual([true, false, false]);
    expect(may({ users, state_default: 60, events: { [UNSTABLE]: 0 } })).toEqual([true, true, true]);
  });
});
