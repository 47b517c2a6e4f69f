import { createHash } from 'node:crypto';
import { atOnce } from '#kernel/steps';
import { describe, expect, it } from 'vitest';
import { ALICE, BOB, CAROL, CREATE_ID, DAVE, member, versionOf, versionsBetween } from '../../test/hand-made-events.js';
import { HandMadeRoom } from '../../test/hand-made-room.js';
import { StateTrie } from '../state-trie/state-trie.js';
import { findAuthDifference } from './auth-difference.js';
import { splitConflicted } from './split-conflicted.js';

const levels = (users: Record<string, number>, draft: object) => ({
  type: 'm.room.power_levels',
  stateKey: '',
  content: { users },
  ...draft,
});
const joinRule = (rule: string, draft: object) => ({
  type: 'm.room.join_rules',
  stateKey: '',
  content: { join_rule: rule },
  ...draft,
});
const topic = (draft: object) => ({ type: 'm.room.topic', stateKey: '', content: {}, ...draft });
/** Alice's own level, which version 12 does not let the power levels say. */
const alice = (room: HandMadeRoom): Record<string, number> => (room.version.privilegedCreators ? {} : { [ALICE]: 100 });

const sha1 = (id: string) => createHash('sha1').update(id).digest('hex');

/** A public room: Alice the creator, Bob and Carol have joined; the last event is `$carol`. */
function publicRoom(id: string): HandMadeRoom {
  const room = HandMadeRoom.created(versionOf(id));
  room.send(levels(alice(room), { id: '$levels', prev: ['$alice'], ts: 1 }));
  room.send(joinRule('public', { id: '$public', prev: ['$levels'], ts: 2 }));
  room.send(member(BOB, 'join', { id: '$bob', prev: ['$public'], ts: 3 }));
  room.send(member(CAROL, 'join', { id: '$carol', prev: ['$bob'], ts: 4 }));
  return room;
}

describe.each(versionsBetween(1, 12))('state resolution of room version $id', ({ id }) => {
  it('of no state is the empty state, and of one state that state', () => {
    const room = publicRoom(id);
    expect(room.resolve([])).toBe(StateTrie.empty);
    expect(room.resolve([room.stateAfter('$carol')])).toBe(room.stateAfter('$carol'));
    const again = room.resolve([room.stateAfter('$carol'), room.stateOf(...stateIds(room, '$carol'))]);
    expect(again.rootHash).toBe(room.stateAfter('$carol').rootHash);
  });

  it('joins changes of different keys', () => {
    const room = publicRoom(id);
    room.send(topic({ id: '$topic', sender: ALICE, prev: ['$carol'] }));
    room.send(member(DAVE, 'join', { id: '$dave', prev: ['$carol'] }));
    const resolved = room.stateBefore(['$topic', '$dave']);
    expect([resolved.get('m.room.topic', ''), resolved.get('m.room.member', DAVE)]).toEqual(['$topic', '$dave']);
    expect(resolved.size).toBe(room.stateAfter('$carol').size + 2);
  });

  it('lets a ban win over what the banned user did beside it', () => {
    const room = publicRoom(id);
    room.send(levels({ ...alice(room), [BOB]: 50 }, { id: '$moderator', prev: ['$carol'], ts: 5 }));
    room.send(member(BOB, 'ban', { id: '$ban', sender: ALICE, prev: ['$moderator'], ts: 8, depth: 90 }));
    room.send(topic({ id: '$topic', sender: BOB, prev: ['$moderator'], ts: 6 }));
    const resolved = room.stateBefore(['$topic', '$ban']);
    expect(resolved.get('m.room.member', BOB)).toBe('$ban');
    // Version 1 knows no conflict here: the topic exists on one side only.
    expect(resolved.get('m.room.topic', '')).toBe(id === '1' ? '$topic' : undefined);
  });

  it('says which event it misses rather than deciding without it', () => {
    const room = publicRoom(id);
    room.send(topic({ id: '$topic', prev: ['$carol'] }));
    const states = [room.stateAfter('$topic'), room.stateAfter('$carol').set('m.room.topic', '', '$lost' as never)];
    expect(() => room.resolve(states)).toThrow('$lost');
  });
});

function stateIds(room: HandMadeRoom, id: string): string[] {
  return [...room.stateAfter(id).entries()].map(({ eventId }) => eventId);
}

describe('state resolution of room version 1', () => {
  it('takes the deepest event that is allowed', () => {
    const room = publicRoom('1');
    room.send(topic({ id: '$a', prev: ['$carol'], depth: 10 }));
    room.send(topic({ id: '$b', prev: ['$carol'], depth: 11 }));
    room.send(topic({ id: '$c', prev: ['$carol'], depth: 9 }));
    expect(room.stateBefore(['$a', '$b', '$c']).get('m.room.topic', '')).toBe('$b');
  });

  it('takes the lowest SHA-1 of the event id at the same depth', () => {
    const room = publicRoom('1');
    const ids = ['$a', '$b', '$c', '$d', '$e'];
    for (const id of ids) room.send(topic({ id, prev: ['$carol'], depth: 10 }));
    const [lowest] = ids.toSorted((a, b) => (sha1(a) < sha1(b) ? -1 : 1));
    expect(lowest).not.toBe('$a');
    expect(room.stateBefore(ids).get('m.room.topic', '')).toBe(lowest);
  });

  it('passes over what the resolved state does not allow', () => {
    const room = publicRoom('1');
    room.send(levels({ [ALICE]: 100, [BOB]: 50 }, { id: '$moderator', prev: ['$carol'], depth: 10 }));
    room.send(topic({ id: '$by-bob', sender: BOB, prev: ['$moderator'], depth: 20 }));
    room.send(levels({ [ALICE]: 100, [BOB]: 0 }, { id: '$demoted', prev: ['$moderator'], depth: 11 }));
    room.send(topic({ id: '$by-alice', prev: ['$demoted'], depth: 12 }));
    const resolved = room.stateBefore(['$by-bob', '$by-alice']);
    expect(resolved.get('m.room.power_levels', '')).toBe('$demoted');
    expect(resolved.get('m.room.topic', '')).toBe('$by-alice');
  });

  it('takes the shallowest of all where none is allowed', () => {
    const room = publicRoom('1');
    room.send(levels({ [ALICE]: 100, [BOB]: 50 }, { id: '$moderator', prev: ['$carol'], depth: 10 }));
    room.send(topic({ id: '$x', sender: BOB, prev: ['$moderator'], depth: 21 }));
    room.send(topic({ id: '$y', sender: BOB, prev: ['$moderator'], depth: 20 }));
    room.send(levels({ [ALICE]: 100, [BOB]: 0 }, { id: '$demoted', prev: ['$moderator'], depth: 11 }));
    expect(room.stateBefore(['$x', '$y', '$demoted']).get('m.room.topic', '')).toBe('$y');
  });

  it('follows power levels from the shallowest up to the first that is not allowed', () => {
    const room = publicRoom('1');
    room.send(levels({ [ALICE]: 100, [BOB]: 100 }, { id: '$admin', prev: ['$carol'], depth: 10 }));
    room.send(levels({ [ALICE]: 100 }, { id: '$a', sender: BOB, prev: ['$admin'], depth: 11 }));
    room.send(levels({ [ALICE]: 100, [BOB]: 100, [CAROL]: 1 }, { id: '$b', sender: BOB, prev: ['$admin'], depth: 12 }));
    room.send(levels({ [ALICE]: 100, [CAROL]: 2 }, { id: '$c', prev: ['$admin'], depth: 13, sender: BOB }));
    const resolved = room.stateBefore(['$a', '$b', '$c']);
    expect(resolved.get('m.room.power_levels', '')).toBe('$a');
  });
});

describe('state resolution of room version 1 by keys', () => {
  it('lets a later change build on an earlier one of the same key', () => {
    const room = publicRoom('1');
    room.send(levels({ [ALICE]: 100, [BOB]: 50 }, { id: '$first', prev: ['$carol'], depth: 10 }));
    room.send(levels({ [ALICE]: 100, [BOB]: 40 }, { id: '$second', sender: BOB, prev: ['$first'], depth: 11 }));
    const resolved = room.stateBefore(['$first', '$second']);
    expect(resolved.get('m.room.power_levels', '')).toBe('$second');
  });

  it('does not see other members that are in conflict too, whatever their order', () => {
    const targets = [CAROL, DAVE, '@eve:example.com', '@frank:example.com'];
    const room = publicRoom('1');
    room.send(levels({ [ALICE]: 100, [BOB]: 50 }, { id: '$levels2', prev: ['$carol'], depth: 10 }));
    let last = '$levels2';
    for (const user of targets) last = room.send(member(user, 'join', { prev: [last] })).eventId;
    const profile = { content: { displayname: 'Bob' }, id: '$bob2', prev: [last] };
    room.send(member(BOB, 'join', profile));
    let kick = last;
    for (const user of targets) {
      kick = room.send(member(user, 'leave', { sender: BOB, id: `$kick-${user}`, prev: [kick] })).eventId;
    }
    const resolved = room.stateBefore(['$bob2', kick]);
    for (const user of targets) expect(resolved.get('m.room.member', user)).toBe(`$m.room.member-${user}:example.com`);
  });
});

describe.each(['2', '11', '12'])('state resolution 2 in room version %s', (id) => {
  it('orders events by the power levels they go back to before it looks at the time', () => {
    const room = publicRoom(id);
    room.send(topic({ id: '$early-levels', prev: ['$carol'], ts: 100 }));
    room.send(levels({ ...alice(room), [BOB]: 50 }, { id: '$levels2', prev: ['$carol'], ts: 5 }));
    room.send(topic({ id: '$late-levels', prev: ['$levels2'], ts: 50 }));
    expect(room.stateBefore(['$early-levels', '$late-levels']).get('m.room.topic', '')).toBe('$late-levels');
  });

  it('orders events by time and then by id where their power levels are the same', () => {
    const room = publicRoom(id);
    room.send(topic({ id: '$z', prev: ['$carol'], ts: 5 }));
    room.send(topic({ id: '$a', prev: ['$carol'], ts: 6 }));
    room.send(topic({ id: '$b', prev: ['$carol'], ts: 6 }));
    expect(room.stateBefore(['$b', '$z', '$a']).get('m.room.topic', '')).toBe('$b');
  });

  it('compares ids by code point, as who knows no UTF-16 does', () => {
    const room = publicRoom(id);
    for (const one of ['$\uff5e:x', '$\u{1f600}:x']) room.send(topic({ id: one, prev: ['$carol'], ts: 6 }));
    expect(room.stateBefore(['$\uff5e:x', '$\u{1f600}:x']).get('m.room.topic', '')).toBe('$\u{1f600}:x');
  });

  it('replays the steps that only one side has taken', () => {
    const room = stepIsHidden(id);
    room.send(topic({ id: '$topic', prev: ['$carol'], ts: 9 }));
    expect(room.stateBefore(['$topic', '$carol50']).get('m.room.power_levels', '')).toBe('$carol50');
  });

  it('does not replay what led to the state that all agree on', () => {
    const room = publicRoom(id);
    room.send(topic({ id: '$topic1', prev: ['$carol'], ts: 20 }));
    room.send(levels({ ...alice(room), [BOB]: 50 }, { id: '$levels2', prev: ['$carol'], ts: 5 }));
    const merged = room.stateBefore(['$topic1', '$levels2']);
    room.send(topic({ id: '$topic2', sender: BOB, prev: ['$topic1', '$levels2'], ts: 21 }));
    const split = [merged, room.stateAfter('$topic2')] as const;
    expect(atOnce(findAuthDifference(atOnce(splitConflicted([...split])), room))).toEqual(
      new Set(['$topic1', '$topic2']),
    );
    expect(room.resolve(split).get('m.room.topic', '')).toBe('$topic2');
  });

  it('never replaces what all agree on by what it replays', () => {
    const room = publicRoom(id);
    room.send(levels({ ...alice(room), [BOB]: 1 }, { id: '$loser', prev: ['$carol'], ts: 5 }));
    room.send(topic({ id: '$topic1', prev: ['$loser'], ts: 20 }));
    room.send(levels({ ...alice(room), [BOB]: 50 }, { id: '$winner', prev: ['$carol'], ts: 6 }));
    const merged = room.stateBefore(['$topic1', '$winner']);
    expect(merged.get('m.room.power_levels', '')).toBe('$winner');
    room.send(topic({ id: '$topic2', prev: ['$topic1', '$winner'], ts: 21 }));
    const states = [merged, room.stateAfter('$topic2')] as const;
    expect(atOnce(findAuthDifference(atOnce(splitConflicted([...states])), room))).toContain('$loser');
    expect(room.resolve(states).get('m.room.power_levels', '')).toBe('$winner');
  });
});

/** A state reset: what both sides agree on, Alice having left, forbids replaying what she did before. */
function senderHasLeft(id: string): HandMadeRoom {
  const room = publicRoom(id);
  room.send(joinRule('invite', { id: '$invite', prev: ['$carol'], ts: 5 }));
  room.send(member(ALICE, 'leave', { id: '$gone', prev: ['$invite'], ts: 6 }));
  room.send(member(BOB, 'join', { id: '$bob2', prev: ['$gone'], ts: 7, content: { displayname: 'Bob' } }));
  room.send(member(CAROL, 'join', { id: '$carol2', prev: ['$gone'], ts: 8, content: { displayname: 'Carol' } }));
  return room;
}

/** A state reset: the event that gave Bob his power is state on no side, and in the auth chain of both. */
function stepIsHidden(id: string): HandMadeRoom {
  const room = publicRoom(id);
  room.send(levels({ ...alice(room), [BOB]: 50 }, { id: '$bob50', prev: ['$carol'], ts: 5 }));
  room.send(
    levels({ ...alice(room), [BOB]: 50, [CAROL]: 50 }, { id: '$carol50', sender: BOB, prev: ['$bob50'], ts: 6 }),
  );
  room.send(member(DAVE, 'join', { id: '$dave', prev: ['$carol50'], ts: 7 }));
  room.send(member(DAVE, 'join', { id: '$dave2', prev: ['$dave'], ts: 8, content: { displayname: 'Dave' } }));
  return room;
}

describe('state resolution 2.1', () => {
  const common = [CREATE_ID, '$levels', '$gone'];

  it.each([
    ['11', undefined],
    ['12', '$invite'],
  ])('keeps what a sender did who has left since (room version %s: %s)', (id, expected) => {
    const room = senderHasLeft(id);
    const states = [
      room.stateOf(...common, '$carol', '$invite', '$bob2'),
      room.stateOf(...common, '$bob', '$public', '$carol2'),
    ];
    const resolved = room.resolve(states);
    expect(resolved.get('m.room.join_rules', '')).toBe(expected);
    expect(resolved.get('m.room.member', BOB)).toBe('$bob2');
    expect(resolved.get('m.room.member', CAROL)).toBe('$carol2');
    expect(resolved.get('m.room.member', ALICE)).toBe('$gone');
  });

  it.each([
    ['11', '$levels'],
    ['12', '$carol50'],
  ])('replays the steps between conflicting events (room version %s: %s)', (id, expected) => {
    const room = stepIsHidden(id);
    const shared = [CREATE_ID, '$alice', '$public', '$bob', '$carol'];
    const resolved = room.resolve([room.stateOf(...shared, '$levels', '$dave2'), room.stateOf(...shared, '$carol50')]);
    expect(resolved.get('m.room.power_levels', '')).toBe(expected);
    expect(resolved.get('m.room.member', DAVE)).toBe('$dave2');
  });
});

describe('a rejected event', () => {
  it.each(['2', '11', '12'])('is never state where it failed against its own auth events (room version %s)', (id) => {
    const room = publicRoom(id);
    room.send(topic({ id: '$old', prev: ['$carol'], ts: 5 }));
    room.send(topic({ id: '$new', prev: ['$carol'], ts: 6 }));
    expect(room.stateBefore(['$old', '$new']).get('m.room.topic', '')).toBe('$new');
    room.reject('$new', 'auth-events');
    expect(room.stateBefore(['$old', '$new']).get('m.room.topic', '')).toBe('$old');
  });

  it.each(['2', '11', '12'])('takes part if it only failed against the state before it (room version %s)', (id) => {
    const room = publicRoom(id);
    room.send(topic({ id: '$old', prev: ['$carol'], ts: 5 }));
    room.send(topic({ id: '$new', prev: ['$carol'], ts: 6 }));
    room.reject('$new', 'state');
    expect(room.stateBefore(['$old', '$new']).get('m.room.topic', '')).toBe('$new');
  });

  it('authorises nothing, whatever it failed against', () => {
    for (const rejection of ['state', 'auth-events', undefined] as const) {
      const room = publicRoom('12');
      room.send(levels({ [BOB]: 50 }, { id: '$bob50', prev: ['$carol'], ts: 5 }));
      room.send(topic({ id: '$topic', sender: BOB, prev: ['$bob50'], ts: 6 }));
      if (rejection !== undefined) room.reject('$bob50', rejection);
      const before = room.stateAfter('$bob50');
      const resolved = room.resolve([before, before.set('m.room.topic', '', '$topic' as never)]);
      expect(resolved.get('m.room.topic', '')).toBe(rejection === undefined ? '$topic' : undefined);
    }
  });
});
