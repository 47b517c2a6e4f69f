import { describe, expect, test } from 'vitest';
import type { ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { peopleOf } from './people.js';
import { type EventTold, nameOfEvent, tellEvent } from './tell-event.js';

const people = peopleOf('a.example' as ServerName);
const [MOD, BOB, EVE] = ['@mod:a.example', '@bob:a.example', '@eve:b.example'];

function told(event: Partial<EventTold> & Pick<EventTold, 'type'>, messages = false): string {
  const whole = { sender: MOD, stateKey: undefined, content: {}, before: undefined, ...event };
  return tellEvent(whole, { people, messages });
}
const state = (type: string, content: JsonObject, before?: JsonObject, stateKey = ''): string =>
  told({ type, content, before, stateKey });

describe('who is what in a room, in words', () => {
  const member = (sender: string, target: string, before: string | undefined, content: JsonObject): string =>
    told({
      type: 'm.room.member',
      sender,
      stateKey: target,
      content,
      before: before === undefined ? undefined : { membership: before, displayname: 'Bob' },
    });

  test.each([
    [BOB, BOB, undefined, { membership: 'join' }, 'joined'],
    [BOB, BOB, 'invite', { membership: 'join' }, 'accepted the invitation and joined'],
    [BOB, BOB, 'leave', { membership: 'join', join_authorised_via_users_server: MOD }, `joined, let in by ${MOD}`],
    [BOB, BOB, 'join', { membership: 'leave' }, 'left'],
    [BOB, BOB, 'join', { membership: 'leave', reason: 'enough' }, 'left: enough'],
    [BOB, BOB, 'invite', { membership: 'leave' }, 'rejected the invitation'],
    [BOB, BOB, 'knock', { membership: 'leave' }, 'took back the wish to be let in'],
    [BOB, BOB, 'leave', { membership: 'knock', reason: 'please' }, 'asked to be let in: please'],
    [MOD, BOB, 'leave', { membership: 'invite' }, 'invited bob'],
    [MOD, EVE, undefined, { membership: 'invite' }, `invited ${EVE}`],
    [MOD, BOB, 'invite', { membership: 'leave' }, 'took back the invitation of bob'],
    [MOD, BOB, 'knock', { membership: 'leave' }, 'refused to let bob in'],
    [MOD, BOB, 'join', { membership: 'leave', reason: 'spam' }, 'kicked bob: spam'],
    [MOD, BOB, 'join', { membership: 'ban', reason: 'spam' }, 'banned bob: spam'],
    [MOD, BOB, 'ban', { membership: 'leave' }, 'unbanned bob'],
    [BOB, BOB, 'join', { membership: 'join', displayname: 'Bobby' }, 'changed the display name from "Bob" to "Bobby"'],
    [BOB, BOB, 'join', { membership: 'join' }, 'took the display name "Bob" off'],
    [BOB, BOB, 'join', { membership: 'join', displayname: 'Bob', avatar_url: 'mxc://x/y' }, 'changed the avatar'],
    [BOB, BOB, 'join', { membership: 'join', displayname: 'Bob' }, 'joined again, changing nothing'],
  ])('%s about %s, who was %s: %o', (sender, target, before, content, words) => {
    expect(member(sender, target, before, content)).toBe(words);
  });
});

describe('the state of a room, in words', () => {
  test('a key that is left to nothing is deleted, whatever its type', () => {
    const deletion = { content: { 'dev.annals.deleted': true }, before: { topic: 'old' }, isDeletion: true };
    expect(told({ type: 'm.room.topic', stateKey: '', ...deletion })).toBe('deleted m.room.topic');
    expect(told({ type: 'org.example', stateKey: 'a', ...deletion })).toBe('deleted org.example (a)');
  });

  test.each([
    ['m.room.create', { room_version: '12' }, undefined, 'created the room (version 12)'],
    [
      'm.room.create',
      { type: 'm.space', predecessor: { room_id: '!old' } },
      undefined,
      'created the space (version 1), in the place of !old',
    ],
    ['m.room.name', { name: 'Pub' }, undefined, 'set the name to "Pub"'],
    ['m.room.name', { name: '' }, { name: 'Pub' }, 'removed the name'],
    ['m.room.topic', { topic: 'new' }, { topic: 'old' }, 'changed the topic from "old" to "new"'],
    ['m.room.topic', { topic: { odd: 1 } }, undefined, 'set the topic to "{"odd":1}"'],
    [
      'm.room.join_rules',
      { join_rule: 'invite' },
      { join_rule: 'public' },
      'changed the join rule from public to invite',
    ],
    ['m.room.history_visibility', { history_visibility: 'joined' }, undefined, 'set the history visibility to joined'],
    [
      'm.room.encryption',
      { algorithm: 'm.megolm.v1.aes-sha2' },
      undefined,
      'turned encryption on (m.megolm.v1.aes-sha2)',
    ],
    ['m.room.pinned_events', { pinned: ['$a', '$b'] }, { pinned: ['$c'] }, 'pinned 2 and unpinned 1 of the events'],
    ['m.room.encryption', { algorithm: { toString: 1 } }, undefined, 'turned encryption on ({"toString":1})'],
    ['m.room.tombstone', { replacement_room: '!new' }, undefined, 'closed the room, which goes on in !new'],
    ['m.room.canonical_alias', { alias: '#pub:a.example' }, undefined, 'set the main alias to "#pub:a.example"'],
    ['org.example.odd', {}, undefined, 'set org.example.odd'],
    ['org.example.odd', {}, {}, 'changed org.example.odd'],
    ['constructor', {}, undefined, 'set constructor'],
  ])('%s %o', (type, content, before, words) => {
    expect(state(type, content, before)).toBe(words);
  });

  test('says whose power became what', () => {
    const levels = (content: JsonObject, before?: JsonObject): string => state('m.room.power_levels', content, before);
    expect(levels({ users: { [MOD]: 100 } })).toBe('set the power levels: mod 100');
    const before = { users: { [MOD]: 100, [EVE]: 50 }, users_default: 0, kick: 50, events: { 'm.room.name': 50 } };
    expect(levels({ ...before, users: { [MOD]: 100, [BOB]: 50 } }, before)).toBe(
      `lowered ${EVE} from 50 to 0; raised bob from 0 to 50`,
    );
    expect(levels({ ...before, kick: 100, events: { 'm.room.topic': 0 } }, before)).toBe(
      'changed kick from 50 to 100; removed events m.room.name; set events m.room.topic to 0',
    );
    expect(levels(before, before)).toBe('set the power levels again, changing nothing');
    const odd = { toString: 1, valueOf: 1 };
    expect(levels({ ...before, kick: [odd], users: { [MOD]: 100, [BOB]: odd } }, before)).toBe(
      `lowered ${EVE} from 50 to 0; changed kick from 50 to [{"toString":1,"valueOf":1}]`,
    );
  });

  test('cuts what somebody made very long', () => {
    expect(state('m.room.topic', { topic: '🐙'.repeat(300) })).toBe(`set the topic to "${'🐙'.repeat(200)}…"`);
  });
});

describe('what people said, in words', () => {
  const message = { type: 'm.room.message', content: { msgtype: 'm.text', body: 'hällo' } };

  test('is its kind and size, and the text only where it is asked for', () => {
    expect(told(message)).toBe('sent a message (m.text, 6 bytes)');
    expect(told({ ...message, content: { msgtype: { toString: 1 } } })).toBe(
      'sent a message ({"toString":1}, 0 bytes)',
    );
    expect(told(message, true)).toBe('sent a message (m.text): hällo');
    const edit = {
      body: '* new',
      'm.new_content': { msgtype: 'm.text', body: 'new' },
      'm.relates_to': { rel_type: 'm.replace' },
    };
    expect(told({ type: 'm.room.message', content: edit }, true)).toBe('edited a message (m.text): new');
    const reaction = { type: 'm.reaction', content: { 'm.relates_to': { key: '👍' } } };
    expect([told(reaction), told(reaction, true)]).toEqual(['sent a reaction', 'reacted with "👍"']);
    const hiding = {
      'm.relates_to': { rel_type: 'm.visibility', event_id: '$it', visibility: 'hidden' },
      reason: 'spam',
    };
    expect(told({ type: 'm.room.encrypted', content: hiding })).toBe('marked an event as hidden: spam');
    const showing = { 'm.relates_to': { rel_type: 'm.reference', event_id: '$it', visible: true } };
    expect(told({ type: 'm.visibility', content: showing })).toBe('marked an event as visible');
    expect(told({ type: 'm.room.encrypted' }, true)).toBe('sent an encrypted message');
    expect(told({ type: 'org.example.odd' })).toBe('sent org.example.odd');
  });

  test('names what was redacted, and why', () => {
    const redaction = { type: 'm.room.redaction', content: { reason: 'spam' } };
    expect(told(redaction)).toBe('redacted an event: spam');
    expect(told({ ...redaction, redacted: 'a message of bob' })).toBe('redacted a message of bob: spam');
    expect(nameOfEvent({ type: 'm.room.message', sender: BOB, stateKey: undefined }, people)).toBe('a message of bob');
    expect(nameOfEvent({ type: 'm.room.topic', sender: BOB, stateKey: '' }, people)).toBe('the m.room.topic of bob');
    expect(told({ ...message, content: {}, isRedacted: true }, true)).toBe('sent a message (redacted since)');
  });
});
