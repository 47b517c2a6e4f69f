import type { CommandBus } from '@nestjs/cqrs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { recordFacts } from '#testing/project';
import { formatAccountDataRow } from '../projections/account-data-row.js';
import { RoomSuccession } from './room-succession.js';
import { directRoomsWith, localJoinOf, succeedingRules } from './succession.js';

const [from, to] = ['!old:example.org' as RoomId, '!new:example.org' as RoomId];
const server = 'example.org' as ServerName;
const alice = '@alice:example.org';

function memberFact(userId: string, membership = 'join'): RecordedFact {
  const pdu = { type: 'm.room.member', state_key: userId, sender: userId, content: { membership } };
  return recordFacts([{ stream: `room-${to}`, type: 'pdu-accepted', data: { event_id: '$join', pdu } }])[0]!;
}

describe('what follows a user into an upgraded room', () => {
  it('is moved by joins of users of this server alone', () => {
    expect(localJoinOf(memberFact(alice), server)).toEqual({ userId: alice, roomId: to });
    expect(localJoinOf(memberFact('@bob:elsewhere.org'), server)).toBeUndefined();
    expect(localJoinOf(memberFact(alice, 'leave'), server)).toBeUndefined();
    const pdu = { type: 'm.room.message', content: { body: '"membership":"join"', membership: 'join' } };
    const [message] = recordFacts([{ stream: `room-${to}`, type: 'pdu-accepted', data: { pdu } }]);
    expect(localJoinOf(message!, server)).toBeUndefined();
  });

  it('keeps a direct chat a direct chat', () => {
    expect(directRoomsWith({ '@bob:b': [from, '!x:b'], '@eve:b': ['!y:b'], odd: 'no list' }, from, to)).toEqual({
      '@bob:b': [from, '!x:b', to],
      '@eve:b': ['!y:b'],
      odd: 'no list',
    });
    expect(directRoomsWith({ '@bob:b': ['!x:b'] }, from, to)).toBeUndefined();
    expect(directRoomsWith({ '@bob:b': [from, to] }, from, to)).toBeUndefined();
  });

  it('has the rules about the old room, with its id replaced, beside them', () => {
    const room = { rule_id: from, default: false, enabled: true, actions: ['notify'] };
    const muted = {
      rule_id: from,
      default: false,
      enabled: false,
      actions: [],
      conditions: [{ kind: 'event_match', key: 'room_id', pattern: from }],
    };
    expect(succeedingRules({ own: { room: [room], override: [muted] }, defaults: {} }, from, to)).toEqual([
      {
        rule: {
          kind: 'override',
          rule_id: to,
          actions: [],
          conditions: [{ kind: 'event_match', key: 'room_id', pattern: to }],
          after: from,
        },
        enabled: false,
      },
      { rule: { kind: 'room', rule_id: to, actions: ['notify'], after: from }, enabled: true },
    ]);
    expect(succeedingRules({ own: { room: [room, { ...room, rule_id: to }] }, defaults: {} }, from, to)).toEqual([]);
    expect(succeedingRules({ own: { sender: [room] }, defaults: {} }, from, to)).toEqual([]);
  });

  describe('when somebody joins', () => {
    let rows: Map<string, string>;
    let commands: { name: string; data: unknown }[];
    let succession: RoomSuccession;
    const stateRow = (sender: string, content: object): string =>
      `${JSON.stringify({ s: sender })}\n${JSON.stringify({ content })}`;

    beforeEach(() => {
      rows = new Map([
        [`room-state ${to} m.room.create `, stateRow('@bob:example.org', { predecessor: { room_id: from } })],
        [`room-state ${from} m.room.tombstone `, stateRow('@bob:example.org', { replacement_room: to })],
        [`user-rooms ${alice} ${to}`, JSON.stringify({ membership: 'join', prev: 'invite' })],
        [
          `account-data ${alice} ${from} m.tag`,
          formatAccountDataRow({ position: '0'.repeat(16) as never, content: '{"tags":{"u.a":{}}}' }),
        ],
      ]);
      commands = [];
      const views = {
        get: async (collection: string, key: readonly string[]) => rows.get(`${collection} ${key.join(' ')}`),
      };
      const bus = {
        execute: async (command: object) => {
          const { requester: _, ...data } = command as { requester: unknown };
          commands.push({ name: command.constructor.name, data });
        },
      };
      succession = new RoomSuccession(bus as unknown as CommandBus, views as unknown as Views, { serverName: server });
    });

    const join = async (userId = alice): Promise<string[]> => {
      succession.hear([memberFact(userId)]);
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      return commands.map(({ name }) => name);
    };

    it('their tags go with them', async () => {
      expect(await join()).toEqual(['SetAccountData']);
      expect(commands[0]!.data).toEqual({ roomId: to, type: 'm.tag', content: { tags: { 'u.a': {} } } });
    });

    it('nothing happens where the room has tags already', async () => {
      rows.set(`account-data ${alice} ${to} m.tag`, `${'0'.repeat(16)}{"tags":{}}`);
      expect(await join()).toEqual([]);
    });

    it('nothing happens where they were there before', async () => {
      rows.set(`user-rooms ${alice} ${to}`, JSON.stringify({ membership: 'join', prev: 'join' }));
      expect(await join()).toEqual([]);
    });

    it('nothing happens where the old room knows nothing of a successor, but for who made the new one', async () => {
      rows.delete(`room-state ${from} m.room.tombstone `);
      expect(await join()).toEqual([]);
      rows.set(`room-state ${to} m.room.create `, stateRow(alice, { predecessor: { room_id: from } }));
      expect(await join()).toEqual(['SetAccountData']);
    });

    it('nothing happens where the room replaces none', async () => {
      rows.set(`room-state ${to} m.room.create `, stateRow(alice, {}));
      expect(await join()).toEqual([]);
    });
  });
});
