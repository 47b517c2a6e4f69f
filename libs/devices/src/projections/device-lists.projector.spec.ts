import { beforeEach, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { positionOf } from '#testing/position-of';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, project, recordFacts, rowsOf as rowsOfProjector, type StreamFact } from '#testing/project';
import { deviceListsProjector } from './device-lists.projector.js';

/** The rows of a collection that facts make, without its name. */
const rowsOf = async (collection: string, facts: readonly StreamFact[]): Promise<Record<string, unknown>> => {
  const rows = await project(deviceListsProjector(createRoomFactReader()), facts);
  const mark = `${collection} `;
  return Object.fromEntries(
    Object.entries(rows).flatMap(([key, value]) => (key.startsWith(mark) ? [[key.slice(mark.length), value]] : [])),
  );
};

describe('who came to a room and left it', () => {
  let log: MemoryEventStore;
  let room: LocalRoom;
  beforeEach(async () => {
    log = new MemoryEventStore();
    room = await LocalRoom.begin(log);
    await room.setState('m.room.join_rules', { join_rule: 'public' });
  });

  const moves = async (): Promise<unknown[]> => {
    const facts = log.facts.map(({ stream, type, data }) => ({ stream, type, data: JSON.parse(data) as unknown }));
    const rows = await rowsOf('device-list-moves', facts);
    return Object.entries(rows).map(([key, value]) => [...key.split(' ').slice(1), value]);
  };
  const last = (): string => log.facts.at(-1)!.position;

  it('has one row each, where it was last', async () => {
    const [[at]] = (await moves()) as [[string]];
    await room.setMembership(BOB, 'join');
    const joined = last();
    expect(await moves()).toEqual([[at, ALICE, 'join'], [joined, BOB, 'join']]); // prettier-ignore
    await room.setMembership(BOB, 'leave');
    const left = last();
    expect(await moves()).toEqual([[at, ALICE, 'join'], [left, BOB, 'leave']]); // prettier-ignore
    await room.setMembership(BOB, 'join');
    expect(await moves()).toEqual([[at, ALICE, 'join'], [last(), BOB, 'join']]); // prettier-ignore
  });

  it('has another row for who is invited, as long as they are', async () => {
    const before = (await moves()) as [[string, string, string]];
    await room.setMembership(BOB, 'invite', ALICE);
    const invited = last();
    expect(await moves()).toEqual([...before, [invited, BOB, 'invite']]);
    await room.setMembership(BOB, 'leave');
    expect(await moves()).toEqual(before);
    await room.setMembership(BOB, 'invite', ALICE);
    await room.setMembership(BOB, 'join');
    expect(await moves()).toEqual([...before, [last(), BOB, 'join']]);
    await room.setMembership(BOB, 'leave');
    const left = last();
    await room.setMembership(BOB, 'invite', ALICE);
    expect(await moves()).toEqual([...before, [left, BOB, 'leave'], [last(), BOB, 'invite']]);
  });

  it('has no other row for what changes nothing of it', async () => {
    await room.setMembership(BOB, 'join');
    const joined = await moves();
    const content = { membership: 'join', displayname: 'Bob' };
    await room.send({ type: 'm.room.member', stateKey: BOB, sender: BOB, content });
    expect(await moves()).toEqual(joined);
  });
});

it('stays as it was last where facts before that come once more', async () => {
  const log = new MemoryEventStore();
  const room = await LocalRoom.begin(log);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  const first = log.facts.length;
  await room.setMembership(BOB, 'invite', ALICE);
  await room.setMembership(BOB, 'leave');
  await room.setMembership(BOB, 'join');
  await room.setMembership(BOB, 'leave');
  await room.setMembership(BOB, 'invite', ALICE);
  await room.setMembership(BOB, 'leave');
  const projector = deviceListsProjector(createRoomFactReader());
  const store = new MemoryReadModels();
  await applyFacts(projector, log.facts, store);
  const before = await rowsOfProjector(projector, store);
  for (const fact of log.facts.slice(first)) {
    await applyFacts(projector, [fact], store);
    expect(await rowsOfProjector(projector, store)).toEqual(before);
  }
});

describe('whose keys changed', () => {
  const renamed = (userId: string): StreamFact => ({ stream: `user-${userId}`, type: 'device-renamed', data: {} });
  const signed = (...of: string[]): StreamFact => ({
    stream: `user-${ALICE}`,
    type: 'signatures-added',
    data: { signatures: of.map((user_id) => ({ user_id })) },
  });

  it('has one row each, where it was last', async () => {
    const facts = [renamed(ALICE), renamed(BOB), renamed(ALICE)];
    expect(await rowsOf('key-changes', facts)).toEqual({ [positionOf(2)]: BOB, [positionOf(3)]: ALICE });
    expect(await rowsOf('last-key-changes', facts)).toEqual({ [BOB]: positionOf(2), [ALICE]: positionOf(3) });
  });

  it('stays where it was last where facts before that come once more', async () => {
    const projector = deviceListsProjector(createRoomFactReader());
    const facts = recordFacts([renamed(ALICE), signed(BOB), renamed(ALICE), signed(BOB)]);
    const store = new MemoryReadModels();
    await applyFacts(projector, facts, store);
    const before = await rowsOfProjector(projector, store);
    await applyFacts(projector, facts.slice(0, 2), store);
    expect(await rowsOfProjector(projector, store)).toEqual(before);
  });

  it('for who signed them alone is told apart', async () => {
    const carol = '@carol:a.example' as UserId;
    const facts = [signed(BOB, carol), signed(ALICE, BOB)];
    expect(await rowsOf('keys-seen', facts)).toEqual({
      [`${ALICE} ${BOB}`]: positionOf(2),
      [`${ALICE} ${carol}`]: positionOf(1),
    });
    expect(await rowsOf('key-changes', facts)).toEqual({ [positionOf(2)]: ALICE });
  });

  it('is not a user of whom only the user-signing key is another', async () => {
    const set: StreamFact = { stream: `user-${ALICE}`, type: 'cross-signing-keys-set', data: { user_signing: {} } };
    expect(await rowsOf('key-changes', [set])).toEqual({});
    expect(await rowsOf('keys-seen', [set])).toEqual({ [`${ALICE} ${ALICE}`]: positionOf(1) });
  });
});
