import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AppServices } from '#config/appservices/app-services';
import { sealFacts } from '#event-store/seal-facts';
import type { DeviceId, RoomAlias, RoomId, UserId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import { userStream } from '#kernel/user-stream';
import { given } from '#testing/given';
import { LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { project } from '#testing/project';
import { RoomViews } from '#testing/room-views';
import { Aliases, type AliasState, decideClaim, decideMove, decideRelease, evolveAlias, NO_ALIAS } from './aliases.js';
import { ALIASES, directoryProjector, USER_ALIASES } from './projections/directory.projector.js';

const ALIAS = '#lobby:a.example' as RoomAlias;
const ROOM = '!r:a.example' as RoomId;
const OTHER = '!other:a.example' as RoomId;
const ALICE = '@alice:a.example' as UserId;

const requester: Requester = { userId: ALICE, deviceId: 'PHONE' as DeviceId, isAdmin: false, requestId: 'x' };

/** Of a process by whose clock it is so late, in milliseconds since the epoch; where it has an address others write to the log, too. */
function aliasesOver(log: MemoryEventStore, now = () => 1, eventStoreUrl?: string): Aliases {
  const config = eventStoreUrl === undefined ? TEST_AUTHOR : { ...TEST_AUTHOR, eventStoreUrl };
  return new Aliases(log, { now, elapsed: now }, new RoomViews(log), config, new AppServices());
}

const created = (roomId: RoomId = ROOM) => ({
  type: 'alias-created',
  data: { alias: ALIAS, room_id: roomId, creator: ALICE },
});
const deleted = { type: 'alias-deleted', data: { alias: ALIAS, room_id: ROOM, by: ALICE } };

const decider = {
  initialState: NO_ALIAS,
  evolve: evolveAlias,
  decide: (state: AliasState, command: { claim: RoomId } | { release: RoomId }) =>
    'claim' in command
      ? decideClaim(state, { alias: ALIAS, room_id: command.claim, creator: ALICE })
      : decideRelease(state, { alias: ALIAS, room_id: command.release, by: ALICE }),
};

/** A log in which the rooms have begun. */
async function logOfRooms(): Promise<MemoryEventStore> {
  const log = new MemoryEventStore();
  for (const localpart of ['r', 'other']) await LocalRoom.begin(log, '11', localpart);
  return log;
}

const aliasFacts = (log: MemoryEventStore) => log.facts.filter(({ stream }) => stream.startsWith('alias-'));

describe('an alias', () => {
  it('belongs to whoever claims it first, until it is released', () => {
    given(decider, []).when({ claim: ROOM }).then([created()]);
    given(decider, [created()]).when({ claim: OTHER }).thenRefused('M_ROOM_IN_USE');
    given(decider, [created()]).when({ claim: ROOM }).thenRefused('M_ROOM_IN_USE');
    given(decider, [created(), deleted])
      .when({ claim: OTHER })
      .then([created(OTHER)]);
  });

  it('is claimed by each room with a fact of its own', () => {
    const [one, two] = [ROOM, OTHER].map(
      (room_id) => decideClaim(NO_ALIAS, { alias: ALIAS, room_id, creator: ALICE })[0]?.id,
    );
    expect(one).not.toBe(two);
  });

  it('is released by the room it points to only', () => {
    given(decider, [created()]).when({ release: ROOM }).then([deleted]);
    given(decider, [created()]).when({ release: OTHER }).then([]);
    given(decider, []).when({ release: ROOM }).then([]);
  });

  it('moves from the room it points to, in one write', () => {
    const move = {
      initialState: NO_ALIAS,
      evolve: evolveAlias,
      decide: (state: AliasState, from: RoomId) =>
        decideMove(state, { alias: ALIAS, room_id: from, by: ALICE }, { alias: ALIAS, room_id: OTHER, creator: ALICE }),
    };
    given(move, [created()])
      .when(ROOM)
      .then([deleted, created(OTHER)]);
    given(move, [created()])
      .when('!third:a.example' as RoomId)
      .then([]);
    given(move, []).when(ROOM).then([]);
  });

  it('is free again where the room it was claimed for never began', async () => {
    const log = new MemoryEventStore();
    let now = 1;
    const aliases = aliasesOver(log, () => now);
    await aliases.claim(ALIAS, ROOM, requester);
    now += 59_000;
    await expect(aliases.claim(ALIAS, OTHER, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    now += 1_000;
    await aliases.claim(ALIAS, OTHER, requester);
    expect([await aliases.listOf(ROOM), await aliases.listOf(OTHER)]).toEqual([[], [ALIAS]]);
  });

  it('is free again at once where the server ended before the room began, and points nowhere until then', async () => {
    const log = new MemoryEventStore();
    const before = aliasesOver(log);
    await before.claim(ALIAS, ROOM, requester);
    expect(await before.resolve(ALIAS)).toBeUndefined();
    const after = aliasesOver(log, () => 2);
    await after.claim(ALIAS, OTHER, requester);
    await expect(after.claim(ALIAS, ROOM, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    expect([await after.listOf(ROOM), await after.listOf(OTHER)]).toEqual([[], [ALIAS]]);
  });

  it('is free again also where the clock was ahead when it was claimed', async () => {
    const log = new MemoryEventStore();
    let now = 1e12;
    const aliases = aliasesOver(log, () => now);
    await aliases.claim(ALIAS, ROOM, requester);
    now -= 3_600_000;
    await aliases.claim(ALIAS, OTHER, requester);
    expect(await aliases.listOf(OTHER)).toEqual([ALIAS]);
  });

  it('stays where another process has claimed it whose clock is behind, for a minute that this one has seen', async () => {
    const log = new MemoryEventStore();
    const server = 'kurrentdb://log.example';
    await aliasesOver(log, () => 1e12 - 3_600_000, server).claim(ALIAS, ROOM, requester);
    let now = 1e12;
    const aliases = aliasesOver(log, () => now, server);
    for (const milliseconds of [0, 59_000]) {
      now += milliseconds;
      await expect(aliases.claim(ALIAS, OTHER, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    }
    now += 1_000;
    await aliases.claim(ALIAS, OTHER, requester);
    expect(await aliases.listOf(OTHER)).toEqual([ALIAS]);
  });

  it('stays with a room that began, however long ago', async () => {
    const log = new MemoryEventStore();
    const { roomId } = await LocalRoom.begin(log);
    let now = 1;
    const aliases = aliasesOver(log, () => now);
    await aliases.claim(ALIAS, roomId, requester);
    now += 1e9;
    await expect(aliases.claim(ALIAS, OTHER, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    expect(await aliases.resolve(ALIAS)).toBe(roomId);
  });

  it('has one room where two processes are asked for it at once', async () => {
    const log = new MemoryEventStore();
    const claims = [ROOM, OTHER].map((roomId, i) =>
      aliasesOver(log).claim(ALIAS, roomId, { ...requester, requestId: String(i) }),
    );
    const outcomes = await Promise.allSettled(claims);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(log.facts).toHaveLength(1);
  });

  it('can be made, deleted and made again by the same user: each is a fact of its own', async () => {
    const log = await logOfRooms();
    const aliases = aliasesOver(log);
    for (let i = 0; i < 2; i++) {
      await aliases.claim(ALIAS, ROOM, requester);
      expect([await aliases.resolve(ALIAS), await aliases.listOf(ROOM)]).toEqual([ROOM, [ALIAS]]);
      await expect(aliases.claim(ALIAS, OTHER, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
      await aliases.release(ALIAS, ROOM, requester);
      expect([await aliases.resolve(ALIAS), await aliases.listOf(ROOM)]).toEqual([undefined, []]);
    }
    expect(aliasFacts(log)).toHaveLength(4);
  });

  it('is claimed once where many ask at a time', async () => {
    const log = new MemoryEventStore();
    const aliases = aliasesOver(log);
    const rooms = Array.from({ length: 8 }, (_, i) => `!r${i}:a.example` as RoomId);
    const outcomes = await Promise.allSettled(rooms.map((roomId) => aliases.claim(ALIAS, roomId, requester)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(log.facts).toHaveLength(1);
  });

  it('is one alias in any case: claimed once, found and released by every spelling, shown as it was spelled', async () => {
    const log = await logOfRooms();
    const aliases = aliasesOver(log);
    const [spelled, other] = ['#ThePub:a.example' as RoomAlias, '#THEpub:a.example' as RoomAlias];
    await aliases.claim(spelled, ROOM, requester);
    await expect(aliases.claim(other, OTHER, requester)).rejects.toMatchObject({ errcode: 'M_ROOM_IN_USE' });
    expect([await aliases.resolve(other), await aliases.listOf(ROOM)]).toEqual([ROOM, [spelled]]);
    await aliases.release(other, ROOM, requester);
    expect([await aliases.resolve(spelled), await aliases.listOf(ROOM)]).toEqual([undefined, []]);
    await aliases.claim(other, OTHER, requester);
    expect([await aliases.resolve(spelled), await aliases.listOf(OTHER)]).toEqual([OTHER, [other]]);
    expect(new Set(aliasFacts(log).map(({ stream }) => stream))).toEqual(new Set(['alias-#thepub:a.example']));
    expect(new Set(aliasFacts(log).map(({ id }) => id)).size).toBe(3);
  });

  it('stays with who made it when it moves', async () => {
    const log = await logOfRooms();
    const aliases = aliasesOver(log);
    await aliases.claim(ALIAS, ROOM, requester);
    await aliases.move(ALIAS, ROOM, OTHER, { ...requester, userId: '@bob:a.example' as UserId });
    const [, , moved] = aliasFacts(log);
    expect(JSON.parse(moved!.data)).toEqual({ alias: ALIAS, room_id: OTHER, creator: ALICE });
  });

  it.each([true, false])(
    'leads where it led once the account of who gave it is closed; where that is erased (%s) it is nobody’s, also as it moves',
    async (erase) => {
      const log = await logOfRooms();
      const views = new RoomViews(log);
      const aliases = new Aliases(log, { now: () => 1, elapsed: () => 1 }, views, TEST_AUTHOR, new AppServices());
      await aliases.claim(ALIAS, ROOM, requester);
      const closed = { id: randomUUID(), type: 'account-deactivated', data: JSON.stringify({ erase }) };
      const facts = sealFacts(undefined, [{ ...closed, at: 1, actor: ALICE }]);
      await log.append(userStream(ALICE), 'no-stream', facts);
      await views.follow();
      const creator = erase ? {} : { creator: ALICE };
      expect(await ALIASES.get(views, [ALIAS])).toEqual({ room_id: ROOM, ...creator });
      expect(await USER_ALIASES.scan(views, { prefix: [ALICE], limit: 9 })).toHaveLength(erase ? 0 : 1);
      const bob = '@bob:a.example' as UserId;
      await aliases.move(ALIAS, ROOM, OTHER, { ...requester, userId: bob });
      expect(await ALIASES.get(views, [ALIAS])).toEqual({ room_id: OTHER, creator: erase ? bob : ALICE });
      expect(await USER_ALIASES.scan(views, { prefix: [erase ? bob : ALICE], limit: 9 })).toHaveLength(1);
    },
  );

  it('is found with its room among however many', async () => {
    const log = await logOfRooms();
    const views = new RoomViews(log);
    const all = Array.from({ length: 5_000 }, (_, i) => `#a${String(i).padStart(4, '0')}:a.example`);
    const key = (alias: string) => [ROOM, alias];
    await views.store.write(all.map((alias) => ({ collection: 'room-aliases', key: key(alias), value: alias })));
    expect(
      await new Aliases(log, { now: () => 1, elapsed: () => 1 }, views, TEST_AUTHOR, new AppServices()).listOf(ROOM),
    ).toEqual(all);
  });

  it('must be of this server and have a local part', () => {
    const aliases = aliasesOver(new MemoryEventStore());
    for (const wrong of ['#lobby:b.example', '#:a.example']) {
      expect(() => aliases.checkOurs(wrong as RoomAlias)).toThrow();
    }
    expect(() => aliases.checkOurs(ALIAS)).not.toThrow();
  });
});

describe('the directory', () => {
  it('knows where aliases point, which a room has, and which rooms are listed', async () => {
    const stream = `alias-${ALIAS}`;
    const listed = (value: boolean) => ({
      stream: `room-${ROOM}`,
      type: 'room-listed',
      data: { listed: value, by: ALICE },
    });
    expect(await project(directoryProjector(), [{ stream, ...created() }, listed(true)])).toEqual({
      [`aliases ${ALIAS}`]: { room_id: ROOM, creator: ALICE },
      [`user-aliases ${ALICE} ${ALIAS}`]: '',
      [`room-aliases ${ROOM} ${ALIAS}`]: ALIAS,
      [`public-rooms ${ROOM}`]: '',
    });
    const later = [{ stream, ...created() }, listed(true), { stream, ...deleted }, { stream, ...created(OTHER) }];
    expect(await project(directoryProjector(), [...later, listed(false)])).toEqual({
      [`aliases ${ALIAS}`]: { room_id: OTHER, creator: ALICE },
      [`room-aliases ${OTHER} ${ALIAS}`]: ALIAS,
      [`user-aliases ${ALICE} ${ALIAS}`]: '',
    });
  });
});
