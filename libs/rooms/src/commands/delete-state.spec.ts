import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { ALICE, BOB, TEST_AUTHOR } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { auditRoom } from '../audit/audit-room.js';
import { peopleOf } from '../audit/people.js';
import { RoomVerifier } from '../audit/verify-room.js';
import { findStateRowsAt, listStateRowsAt } from '../queries/past-state.js';
import { DeleteState } from './delete-state.js';
import { RedactEvent } from './redact-event.js';

const VERSION = 'dev.annals.12.deletion';
const DELETION = { 'dev.annals.deleted': true };
const TOPIC = 'm.room.topic';

let rooms: RoomCommands;
let roomId: RoomId;
beforeEach(async () => {
  rooms = new RoomCommands();
  roomId = await rooms.open({ room_version: VERSION, topic: 'old' });
  await rooms.join(BOB, roomId);
});

async function remove(type = TOPIC, stateKey = '', who = ALICE, room = roomId): Promise<EventId> {
  return (await rooms.execute(new DeleteState(requesterOf(who), room, type, stateKey))).eventId;
}

const refused = (errcode: string, status: number): object => ({ errcode, status });

/** What the commands of the log's auditors say of the room. */
async function audit(): Promise<{ findings: unknown[]; told: string[] }> {
  const verifier = new RoomVerifier(roomId, () => parseVerifyKey(TEST_AUTHOR.signingKey.publicKey));
  const told: string[] = [];
  const telling = { people: peopleOf(TEST_AUTHOR.serverName), messages: false };
  for await (const { what } of auditRoom(rooms.log, roomId, telling)) told.push(what);
  return { findings: rooms.facts(roomId).flatMap((fact) => verifier.check(fact)), told };
}

/** Where the log stood after each event. */
function places(): Position[] {
  return rooms.facts(roomId, 'pdu-accepted').map(({ position }) => position);
}

describe('deleting state', () => {
  it('takes the key out of the state and of the summary, and leaves both events in the graph', async () => {
    const before = rooms.events(roomId).length;
    await remove();
    expect(await rooms.state(roomId, TOPIC)).toBeUndefined();
    expect(JSON.parse((await rooms.views.get('rooms', [roomId])) ?? '')).not.toHaveProperty('topic');
    expect(rooms.events(roomId)).toHaveLength(before + 1);
    expect(rooms.events(roomId).at(-1)).toMatchObject({ type: TOPIC, state_key: '', content: DELETION });
  });

  it('is verified, told in words, and what it left is set anew after it', async () => {
    await remove();
    await rooms.setState(ALICE, roomId, TOPIC, { topic: 'new' });
    expect(await rooms.state(roomId, TOPIC)).toEqual({ topic: 'new' });
    await rooms.setState(ALICE, roomId, 'org.example.note', { n: 1 }, 'key');
    await remove('org.example.note', 'key');
    const { findings, told } = await audit();
    expect(findings).toEqual([]);
    expect(told.slice(-4)).toEqual([
      'deleted m.room.topic',
      'set the topic to "new"',
      'set org.example.note (key)',
      'deleted org.example.note (key)',
    ]);
  });

  it('holds through a restart, and through a redaction of the event that deleted', async () => {
    const deletion = await remove();
    await rooms.execute(new RedactEvent(requesterOf(ALICE), roomId, deletion, {}));
    rooms = new RoomCommands(rooms.views);
    await rooms.send(BOB, roomId);
    expect(await rooms.state(roomId, TOPIC)).toBeUndefined();
    expect(rooms.redacted(roomId).at(-1)?.pdu['content']).toEqual(DELETION);
    const { findings, told } = await audit();
    expect(findings).toEqual([]);
    expect(told.at(-4)).toBe('deleted m.room.topic (redacted since)');
    await expect(remove()).rejects.toMatchObject(refused('M_NOT_FOUND', 404));
  });

  it('is a change of the past like any other: the state before it has what it deleted', async () => {
    await rooms.views.follow();
    const [topic] = (await findStateRowsAt(rooms.views, roomId, [[TOPIC, '']], places().at(-1)!)).map(
      (row) => row?.header.eventId,
    );
    await remove();
    const set = await rooms.setState(ALICE, roomId, TOPIC, { topic: 'new' });
    await remove();
    await rooms.send(BOB, roomId);
    await rooms.views.follow();
    const held = await Promise.all(
      places()
        .slice(-5)
        .map(async (place) => {
          const keys = [TOPIC, 'm.none'].map((type) => [type, ''] as const);
          const [row, gone] = await findStateRowsAt(rooms.views, roomId, keys, place);
          const all = await listStateRowsAt(rooms.views, roomId, place);
          expect(gone).toBeUndefined();
          expect(all.find(({ header }) => header.type === TOPIC)?.header.eventId).toBe(row?.header.eventId);
          return row?.header.eventId;
        }),
    );
    expect(held).toEqual([topic, undefined, set, undefined, undefined]);
  });

  it('is for those who may set the key', async () => {
    await expect(remove(TOPIC, '', BOB)).rejects.toMatchObject(refused('M_FORBIDDEN', 403));
    const stranger = '@stranger:a.example' as UserId;
    await expect(remove(TOPIC, '', stranger)).rejects.toMatchObject(refused('M_FORBIDDEN', 403));
    await rooms.setState(ALICE, roomId, 'm.room.power_levels', { users: {}, events: { 'org.example.own': 0 } });
    await rooms.setState(BOB, roomId, 'org.example.own', { n: 1 }, BOB);
    await expect(remove('org.example.own', BOB, ALICE)).rejects.toMatchObject(refused('M_FORBIDDEN', 403));
    await remove('org.example.own', BOB, BOB);
    expect(await rooms.state(roomId, 'org.example.own', BOB)).toBeUndefined();
  });

  it('is refused for what the rules live on, and where there is nothing, and changes nothing then', async () => {
    const before = rooms.facts(roomId).length;
    await expect(remove('m.room.create')).rejects.toMatchObject(refused('M_BAD_STATE', 400));
    for (const [type, key] of [
      ['m.room.member', BOB],
      ['m.room.power_levels', ''],
      ['m.room.join_rules', ''],
      ['m.room.encryption', ''],
      ['m.room.third_party_invite', 'token'],
    ] as const) {
      await expect(remove(type, key)).rejects.toMatchObject(refused('M_INVALID_PARAM', 400));
    }
    await expect(remove('m.room.name')).rejects.toMatchObject(refused('M_NOT_FOUND', 404));
    await expect(rooms.setState(ALICE, roomId, 'm.room.name', DELETION)).rejects.toMatchObject(
      refused('M_NOT_FOUND', 404),
    );
    expect(rooms.facts(roomId)).toHaveLength(before);
  });

  it('is not there in rooms of other versions, which nobody outside is told', async () => {
    const other = await rooms.createRoom(ALICE, { room_version: '12', topic: 'old' });
    for (const type of [TOPIC, 'm.room.member', 'm.none']) {
      await expect(remove(type, '', ALICE, other)).rejects.toMatchObject(refused('M_UNSUPPORTED_ROOM_VERSION', 400));
    }
    await expect(remove(TOPIC, '', BOB, other)).rejects.toMatchObject(refused('M_FORBIDDEN', 403));
    // What deletes elsewhere is a content like any other there.
    await rooms.setState(ALICE, other, TOPIC, DELETION);
    expect(await rooms.state(other, TOPIC)).toEqual(DELETION);
  });

  it('can be sent as the event that it is', async () => {
    const deletion = await rooms.setState(ALICE, roomId, 'm.room.history_visibility', DELETION);
    expect(await rooms.state(roomId, 'm.room.history_visibility')).toBeUndefined();
    const said = await rooms.send(BOB, roomId);
    const headers = rooms.facts(roomId, 'pdu-accepted').map(({ data }) => JSON.parse(data) as JsonObject);
    const last = (id: EventId): JsonObject | undefined => headers.find((header) => header['event_id'] === id);
    expect(last(deletion)).toMatchObject({ state: [{ event_id: null, type: 'm.room.history_visibility' }] });
    // Nothing says another one: client-server API, "Room History Visibility".
    expect(last(said)).toMatchObject({ visibility: 'shared' });
    expect((await audit()).findings).toEqual([]);
  });
});
