import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import { DELETED } from '#protocol/state-deletion';
import { ALICE, BOB } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { RoomViews } from '#testing/room-views';
import type { PduAccepted } from '../facts/room-facts.js';
import { RoomGraph } from '../graph/room-graph.js';
import { listStateRowsAt } from '../queries/past-state.js';
import { listStateRows } from '../queries/state-rows.js';
import { BanUser } from './ban-user.js';
import { DeleteState } from './delete-state.js';
import { ForgetRoom } from './forget-room.js';
import { InviteUser } from './invite-user.js';
import { JoinRoom } from './join-room.js';
import { KickUser } from './kick-user.js';
import { KnockRoom } from './knock-room.js';
import { LeaveRoom } from './leave-room.js';
import { RedactEvent } from './redact-event.js';
import { SendEvent } from './send-event.js';
import { SetRoomListed } from './set-room-listed.js';
import { SetState } from './set-state.js';
import { UnbanUser } from './unban-user.js';

const CAROL = '@carol:a.example' as UserId;
const USERS = [ALICE, BOB, CAROL];
/** The room version in which state can be deleted. */
const DELETION = 'dev.annals.12.deletion';
const COLLECTIONS = [
  'room-state',
  'state-deletions',
  'redacted-state',
  'members',
  'room-members',
  'user-rooms',
  'membership-log',
  'rooms',
];

/** What somebody may try in a room. `pick` chooses among the events that are there. */
type Attempt = (roomId: RoomId, pick: (n: number) => EventId) => object;

const user = fc.constantFrom(...USERS);
const level = fc.constantFrom(0, 50, 100);
const content: Readonly<Record<string, fc.Arbitrary<JsonObject>>> = {
  'm.room.topic': fc.record({ topic: fc.constantFrom('one', 'two') }),
  'm.room.join_rules': fc.record({ join_rule: fc.constantFrom('public', 'invite', 'knock') }),
  'm.room.history_visibility': fc.record({ history_visibility: fc.constantFrom('shared', 'joined', 'odd') }),
  'm.room.power_levels': fc
    .record({ ban: level, kick: level, invite: level, redact: level, events_default: level, bob: level })
    .map(({ bob, ...levels }) => ({ ...levels, users: { [ALICE]: 100, [BOB]: bob } })),
};

const onUser = fc.tuple(user, user, fc.constantFrom(InviteUser, KickUser, BanUser, UnbanUser)).map(
  ([who, target, Command]): Attempt =>
    (roomId) =>
      new Command(requesterOf(who), roomId, target),
);
const onOneself = fc.tuple(user, fc.constantFrom(JoinRoom, LeaveRoom, KnockRoom, ForgetRoom)).map(
  ([who, Command]): Attempt =>
    (roomId) =>
      new Command(requesterOf(who), roomId),
);
const say = fc.tuple(user, fc.constantFrom('1', '2', undefined)).map(
  ([who, txn]): Attempt =>
    (roomId) =>
      new SendEvent(requesterOf(who), roomId, 'm.room.message', { body: 'hi' }, txn),
);
const redact = fc.tuple(user, fc.nat()).map(
  ([who, n]): Attempt =>
    (roomId, pick) =>
      new RedactEvent(requesterOf(who), roomId, pick(n), {}),
);
const set = fc
  .constantFrom(...Object.keys(content))
  .chain((type) => fc.tuple(user, fc.constant(type), content[type] as fc.Arbitrary<JsonObject>))
  .map(
    ([who, type, wanted]): Attempt =>
      (roomId) =>
        new SetState(requesterOf(who), roomId, type, '', wanted),
  );
const remove = fc.tuple(user, fc.constantFrom('m.room.topic', 'm.room.history_visibility', 'm.room.power_levels')).map(
  ([who, type]): Attempt =>
    (roomId) =>
      new DeleteState(requesterOf(who), roomId, type, ''),
);
const list = fc.tuple(user, fc.boolean()).map(
  ([who, listed]): Attempt =>
    (roomId) =>
      new SetRoomListed(requesterOf(who), roomId, listed),
);

const attempts = fc.array(
  fc.array(
    fc.oneof({ weight: 3, arbitrary: onOneself }, { weight: 3, arbitrary: onUser }, say, redact, set, remove, list),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  { maxLength: 14 },
);

function eventIds(rooms: RoomCommands, roomId: RoomId): EventId[] {
  return rooms.facts(roomId, 'pdu-accepted').map(({ data }) => (JSON.parse(data) as PduAccepted).event_id);
}

/** Each group at the same time, one group after another, some after a restart. What is refused is refused by a MatrixError. */
async function live(first: RoomCommands, roomId: RoomId, groups: readonly (readonly Attempt[])[]): Promise<void> {
  let rooms = first;
  for (const [i, group] of groups.entries()) {
    if (i % 3 === 2) rooms = new RoomCommands(first.views);
    const known = eventIds(rooms, roomId);
    const pick = (n: number): EventId => known[n % known.length] as EventId;
    const outcomes = await Promise.allSettled(group.map((attempt) => rooms.execute(attempt(roomId, pick))));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(MatrixError);
    }
    rooms.now += 1;
  }
}

async function rowsOf(views: RoomViews): Promise<unknown> {
  await views.follow();
  return Promise.all(COLLECTIONS.map((name) => views.scan(name, { limit: 10_000 })));
}

/** Folds the facts by hand: the state after each of them. */
function statesOf(rooms: RoomCommands, roomId: RoomId): [Position, string[], EventId][] {
  const state = new Map<string, string>();
  return rooms.facts(roomId, 'pdu-accepted').map(({ data, position }) => {
    const { event_id: id, pdu, room_version } = JSON.parse(data) as PduAccepted;
    const key = `${String(pdu['type'])} ${String(pdu['state_key'])}`;
    if (room_version === DELETION && isJsonObject(pdu['content']) && pdu['content'][DELETED] === true)
      state.delete(key);
    else if (pdu['state_key'] !== undefined) state.set(key, id);
    return [position, [...state.values()].toSorted(), id];
  });
}

const idsOf = (rows: Awaited<ReturnType<typeof listStateRows>>): string[] =>
  rows.map(({ header }) => header.eventId).toSorted();

test('whatever people try in a room, its log stands up to an audit and its views agree with it', async () => {
  const version = fc.constantFrom('1', '2', '5', '6', '7', '10', '11', '12', DELETION, DELETION);
  const preset = fc.constantFrom('public_chat' as const, 'private_chat' as const);
  await fc.assert(
    fc.asyncProperty(version, preset, attempts, async (room_version, chosen, groups) => {
      const rooms = new RoomCommands();
      const roomId = await rooms.createRoom(ALICE, { room_version, preset: chosen, invite: [BOB] });
      await live(rooms, roomId, groups);

      expect(rooms.problems(roomId)).toEqual([]);

      const { views } = rooms;
      const again = new MemoryEventStore();
      for (const fact of rooms.log.facts) {
        await again.append(fact.stream, fact.revision === 0 ? 'no-stream' : fact.revision - 1, [fact]);
      }
      expect(await rowsOf(new RoomViews(again))).toEqual(await rowsOf(views));

      const states = statesOf(rooms, roomId);
      expect(idsOf(await listStateRows(views, roomId))).toEqual(states.at(-1)?.[1]);
      const graph = new RoomGraph(views, roomId);
      for (const [position, ids, eventId] of states) {
        expect(idsOf(await listStateRowsAt(views, roomId, position))).toEqual(ids);
        const after = await (await graph.findStateAfter(eventId))?.list();
        expect(after?.map((entry) => entry.eventId).toSorted()).toEqual(ids);
      }

      const members = await Promise.all(USERS.map((userId) => rooms.membership(roomId, userId)));
      const count = (membership: string): number => members.filter((one) => one === membership).length;
      expect(JSON.parse((await views.get('room-counts', [roomId])) ?? '')).toMatchObject({
        joined: count('join'),
        invited: count('invite'),
      });
    }),
    { numRuns: 60 },
  );
});
