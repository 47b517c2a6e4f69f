import { describe, expect, it } from 'vitest';
import { ALICE, BOB, CAROL, makeEvent, member, versionOf, type EventDraft } from '../../test/hand-made-events.js';
import { selectAuthTypes } from './select-auth-types.js';

function select(draft: EventDraft, version = '11'): string[] {
  return selectAuthTypes(makeEvent(draft, versionOf(version)), versionOf(version))
    .map(({ type, stateKey }) => `${type.replace('m.room.', '')} ${stateKey}`.trim())
    .sort();
}

describe('auth events selection', () => {
  it('selects nothing for the create event', () => {
    expect(select({ type: 'm.room.create', stateKey: '' })).toEqual([]);
  });

  it('selects the create event, the power levels and the sender for every other event', () => {
    expect(select({ type: 'm.room.message' })).toEqual(['create', `member ${ALICE}`, 'power_levels']);
    expect(select({ type: 'm.room.topic', stateKey: '' })).toEqual(['create', `member ${ALICE}`, 'power_levels']);
  });

  it('never selects the create event from version 12 on', () => {
    expect(select({ type: 'm.room.message' }, '12')).toEqual([`member ${ALICE}`, 'power_levels']);
  });

  it('adds the join rules and the target, once, for who comes in', () => {
    const base = ['create', 'join_rules', `member ${ALICE}`, 'power_levels'];
    expect(select(member(ALICE, 'join'))).toEqual(base);
    expect(select(member(ALICE, 'knock'))).toEqual(base);
    expect(select(member(BOB, 'invite', { sender: ALICE }))).toEqual([...base, `member ${BOB}`].sort());
  });

  it('adds the target only for who leaves or is banned', () => {
    const expected = ['create', `member ${ALICE}`, `member ${BOB}`, 'power_levels'];
    expect(select(member(BOB, 'leave', { sender: ALICE }))).toEqual(expected);
    expect(select(member(BOB, 'ban', { sender: ALICE }))).toEqual(expected);
  });

  it('adds the third-party invite that an invite redeems', () => {
    const content = { third_party_invite: { signed: { token: 'abc' } } };
    expect(select(member(BOB, 'invite', { sender: ALICE, content }))).toContain('third_party_invite abc');
    expect(select(member(BOB, 'join', { content }))).not.toContain('third_party_invite abc');
  });

  it('adds the member who authorises a join, where the room version has restricted joins', () => {
    const content = { join_authorised_via_users_server: CAROL };
    expect(select(member(BOB, 'join', { content }), '8')).toContain(`member ${CAROL}`);
    expect(select(member(BOB, 'join', { content }), '7')).not.toContain(`member ${CAROL}`);
    expect(select(member(BOB, 'leave', { content }), '8')).not.toContain(`member ${CAROL}`);
  });
});
