import { AppServices } from '#config/appservices/app-services';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RoomAlias, RoomId, ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { CreateAlias } from '#directory/commands/create-alias';
import { Aliases } from '#directory/aliases';
import { ALICE, BOB, TEST_AUTHOR } from '#testing/local-room';
import { AppendTooLarge } from '#event-store/event-store-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import type { CreateRoomOptions } from '../decide/new-room-events.js';
import { BanUser } from './ban-user.js';
import { CompleteUpgrade, CompleteUpgradeHandler } from './complete-upgrade.js';
import { CreateRoom } from './create-room.js';
import { PolicyAway } from '../policy-away.js';
import type { Policy } from '../room-policy.js';
import { UpgradeRoom } from './upgrade-room.js';

const CAROL = '@carol:a.example' as UserId;
const DAVE = '@dave:a.example' as UserId;

let rooms: RoomCommands;

beforeEach(() => {
  rooms = new RoomCommands();
});

async function upgrade(roomId: RoomId, version: string, user = ALICE, creators: UserId[] = []): Promise<RoomId> {
  const command = new UpgradeRoom(requesterOf(user), roomId, version, creators);
  const { replacementRoom } = await rooms.execute(command);
  await complete(roomId, replacementRoom, user);
  return replacementRoom;
}

/** What follows from an upgrade. */
function complete(from: RoomId, to: RoomId, user = ALICE): Promise<unknown> {
  return rooms.execute(new CompleteUpgrade(requesterOf(user), from, to));
}

async function refused(command: Promise<unknown>, errcode = 'M_FORBIDDEN'): Promise<void> {
  await expect(command).rejects.toMatchObject({ errcode });
}

async function begin(version: string, options: CreateRoomOptions = {}): Promise<RoomId> {
  return rooms.createRoom(ALICE, { room_version: version, preset: 'public_chat', ...options });
}

const MAX = Number.MAX_SAFE_INTEGER;
/** Power over everything for Alice, in versions where she needs it as the creator. */
const own = (version: string): JsonObject => (version === '12' ? {} : { [ALICE]: 300 });

/** Sets power levels that only an old room has, for nobody can set them any more. */
async function setOldLevels(roomId: RoomId, content: JsonObject): Promise<void> {
  await rooms.workers.run(roomId, { actor: ALICE }, (turn) =>
    turn.send({ type: 'm.room.power_levels', stateKey: '', sender: ALICE, content }),
  );
}

const levelsOf = (roomId: RoomId): Promise<JsonObject | undefined> => rooms.state(roomId, 'm.room.power_levels');

describe.each([
  ['1', '10'],
  ['5', '6'],
  ['9', '10'],
  ['10', '11'],
  ['11', '12'],
  ['12', '12'],
  ['12', '11'],
])('upgrading from version %s to %s', (from, to) => {
  it('replaces the room by one of that version, and says so in both', async () => {
    const old = await begin(from);
    const next = await upgrade(old, to);
    const create = (await rooms.state(next, 'm.room.create')) ?? {};
    expect(create).toMatchObject({ room_version: to, predecessor: { room_id: old } });
    expect(await rooms.state(old, 'm.room.tombstone')).toMatchObject({ replacement_room: next });
    const tombstone = rooms.facts(old, 'pdu-accepted').find(({ data }) => data.includes('"type":"m.room.tombstone"'));
    const { event_id: named } = create['predecessor'] as { event_id?: string };
    const { event_id: sent } = JSON.parse(tombstone?.data ?? '') as { event_id: string };
    // Where the room's id is the hash of its create event, that event cannot name what names the room.
    expect(named).toBe(to === '12' ? undefined : sent);
    await rooms.send(ALICE, next);
  });

  it('takes over what can be, and silences the old room', async () => {
    const old = await begin(from, { name: 'Name', topic: 'Topic', creation_content: { type: 'm.space' } });
    await rooms.join(BOB, old);
    const content = { algorithm: 'm.megolm.v1.aes-sha2' };
    await rooms.setState(ALICE, old, 'm.room.encryption', content);
    await rooms.setState(ALICE, old, 'm.room.avatar', { url: 'mxc://a.example/a' });
    await rooms.setState(ALICE, old, 'm.room.retention', { max_lifetime: 86_400_000 });
    await rooms.setState(ALICE, old, 'm.odd', { a: 1 });
    await rooms.execute(new BanUser(requesterOf(ALICE), old, CAROL, 'spam'));
    const next = await upgrade(old, to);
    expect(await rooms.state(next, 'm.room.create')).toMatchObject({ type: 'm.space' });
    for (const type of [
      'name',
      'avatar',
      'encryption',
      'join_rules',
      'guest_access',
      'history_visibility',
      'retention',
    ]) {
      const moved = await rooms.state(old, `m.room.${type}`);
      expect([type, await rooms.state(next, `m.room.${type}`)]).toEqual([type, moved]);
    }
    expect(await rooms.state(next, 'm.room.topic')).toMatchObject({ topic: 'Topic' });
    expect(await rooms.state(next, 'm.room.member', CAROL)).toEqual({ membership: 'ban', reason: 'spam' });
    expect(await rooms.state(next, 'm.room.member', BOB)).toBeUndefined();
    expect(await rooms.state(next, 'm.odd')).toBeUndefined();
    await refused(rooms.join(CAROL, next));
    await rooms.join(BOB, next);
    await refused(rooms.send(BOB, old));
    expect(await levelsOf(old)).toMatchObject({ events_default: 50, invite: 50 });
  });
});

/** Lets something happen where the replacement is made. */
function onCreateRoom(happens: (create: () => Promise<unknown>) => Promise<unknown>): void {
  const execute = rooms.execute.bind(rooms);
  rooms.execute = (command) => (command instanceof CreateRoom ? happens(() => execute(command)) : execute(command));
}

/** The types of a room's events in order. */
const written = (roomId: RoomId): string[] => rooms.events(roomId).map(({ type }) => String(type));

describe.each([
  ['5', '6'],
  ['5', '11'],
  ['5', '12'],
  ['1', '12'],
])('what the new version cannot hold, from %s to %s,', (from, to) => {
  it('stays behind, and the rest moves', async () => {
    const half = 0.5;
    const old = await begin(from, {
      creation_content: { half, type: 'm.space' },
      initial_state: [
        { type: 'm.room.name', content: { name: 'Name', half } },
        { type: 'm.room.join_rules', content: { join_rule: 'knock', odd: [half, 1, { half }] } },
        { type: 'm.room.history_visibility', content: { history_visibility: 'joined', half } },
      ],
    });
    await setOldLevels(old, { users: { [ALICE]: 100, [BOB]: 50.7 }, kick: 40.2 });
    const ban = { membership: 'ban', reason: 'spam', half };
    await rooms.setState(ALICE, old, 'm.room.member', ban, CAROL);
    const next = await upgrade(old, to);
    expect(await rooms.state(next, 'm.room.create')).toMatchObject({ type: 'm.space' });
    expect(await rooms.state(next, 'm.room.create')).not.toHaveProperty('half');
    expect(await rooms.state(next, 'm.room.name')).toEqual({ name: 'Name' });
    expect(await rooms.state(next, 'm.room.join_rules')).toEqual({ join_rule: 'knock', odd: [1, {}] });
    expect(await rooms.state(next, 'm.room.history_visibility')).toEqual({ history_visibility: 'joined' });
    expect(await rooms.state(next, 'm.room.member', CAROL)).toEqual({ membership: 'ban', reason: 'spam' });
    expect(await levelsOf(next)).toMatchObject({ users: { [BOB]: 50 }, kick: 40 });
  });
});

describe.each(['11', '12'])('an upgrade to version %s', (to) => {
  it('whose new room cannot be made leaves the old one as it is', async () => {
    const old = await begin('10');
    const events = written(old);
    onCreateRoom(() => Promise.reject(new MatrixError('M_TOO_LARGE')));
    await refused(upgrade(old, to), 'M_TOO_LARGE');
    expect(written(old)).toEqual(events);
    await rooms.send(ALICE, old);
  });

  it('ends the old room once, also where something came between', async () => {
    const old = await begin('10');
    onCreateRoom(async (create) => {
      await rooms.send(ALICE, old);
      return create();
    });
    const next = await upgrade(old, to);
    expect(written(old).filter((type) => type === 'm.room.tombstone')).toHaveLength(1);
    expect(await rooms.state(old, 'm.room.tombstone')).toMatchObject({ replacement_room: next });
  });

  it('that ends after the new room was made leaves the old one to be used, and to be upgraded again', async () => {
    const old = await begin('10');
    const events = written(old);
    onCreateRoom(async (create) => {
      await create();
      throw new Error('the process ended');
    });
    await expect(upgrade(old, to)).rejects.toThrow('the process ended');
    expect(written(old)).toEqual(events);
    rooms = new RoomCommands(rooms.views);
    await rooms.send(ALICE, old);
    const next = await upgrade(old, to);
    expect(await rooms.state(old, 'm.room.tombstone')).toMatchObject({ replacement_room: next });
  });
});

describe('who upgrades a room twice', () => {
  it('gets one new room, also where both are asked for at once', async () => {
    const old = await begin('11');
    const both = [1, 2].map(() => rooms.execute(new UpgradeRoom(requesterOf(ALICE), old, '12')));
    const [one, other] = await Promise.all(both);
    expect(other).toEqual(one);
    expect(await upgrade(old, '12')).toBe(one.replacementRoom);
    expect(written(old).filter((type) => type === 'm.room.tombstone')).toHaveLength(1);
  });

  it('gets another where it is another request: of another version, or with other creators, or of another user', async () => {
    const override = { users: { [ALICE]: 100, [BOB]: 100 } };
    const old = await begin('11', { power_level_content_override: override });
    await rooms.join(BOB, old);
    const first = await upgrade(old, '12');
    const others = [await upgrade(old, '11'), await upgrade(old, '12', ALICE, [BOB]), await upgrade(old, '12', BOB)];
    expect(new Set([first, ...others]).size).toBe(4);
    expect(await rooms.state(old, 'm.room.tombstone')).toMatchObject({ replacement_room: others[2] });
  });

  it('gets another where they have left the first, or what the tombstone names is none', async () => {
    const old = await begin('11');
    const first = await upgrade(old, '12');
    await rooms.setState(ALICE, first, 'm.room.member', { membership: 'leave' }, ALICE);
    const second = await upgrade(old, '12');
    expect(second).not.toBe(first);
    await rooms.setState(ALICE, old, 'm.room.tombstone', { body: 'moved', replacement_room: '!none:a.example' });
    expect(await upgrade(old, '12')).not.toBe(second);
  });
});

describe('what follows from an upgrade', () => {
  it('done twice is done once, and leaves alone what was changed in the old room since', async () => {
    const old = await begin('11', { room_alias_name: 'lobby', visibility: 'public' });
    const next = await upgrade(old, '12');
    const { length } = rooms.log.facts;
    await complete(old, next);
    expect(rooms.log.facts).toHaveLength(length);
    const levels = { ...(await levelsOf(old)), events_default: 0 };
    await rooms.setState(ALICE, old, 'm.room.power_levels', levels);
    await complete(old, next);
    expect(await levelsOf(old)).toEqual(levels);
  });

  it.each(['!other:a.example', undefined])(
    'is nothing where the tombstone names %s since',
    async (replacement_room) => {
      const old = await begin('11', { room_alias_name: 'lobby', visibility: 'public' });
      const { replacementRoom } = await rooms.execute(new UpgradeRoom(requesterOf(ALICE), old, '12'));
      await rooms.setState(ALICE, old, 'm.room.tombstone', { body: 'not there', replacement_room });
      const { length } = rooms.log.facts;
      await complete(old, replacementRoom);
      expect(rooms.log.facts).toHaveLength(length);
    },
  );
});

describe('power in the new room', () => {
  it('is what it was in the old one, for the upgrader too', async () => {
    const users = { [ALICE]: 100, [BOB]: 60, [CAROL]: 10 };
    const events = { 'm.room.tombstone': 60, 'm.room.power_levels': 100 };
    const old = await begin('10', { power_level_content_override: { users, events } });
    await rooms.join(BOB, old);
    await refused(upgrade(old, '11', CAROL), 'M_NOT_FOUND');
    const next = await upgrade(old, '11', BOB);
    expect(await levelsOf(next)).toMatchObject({ users, events });
    expect(await levelsOf(old)).toMatchObject({ events_default: 0 });
  });

  it('is not named for those who are creators above all levels', async () => {
    const users = { [ALICE]: 100, [BOB]: 60, [CAROL]: 10 };
    const old = await begin('11', { power_level_content_override: { users } });
    const next = await upgrade(old, '12', ALICE, [BOB]);
    expect((await levelsOf(next))?.['users']).toEqual({ [CAROL]: 10 });
    expect(await rooms.state(next, 'm.room.create')).toMatchObject({ additional_creators: [BOB] });
  });

  it('does not pass on to other creators unless they are named again', async () => {
    const old = await begin('12', { creation_content: { additional_creators: [BOB, CAROL] } });
    const next = await upgrade(old, '12', ALICE, [CAROL]);
    expect(await rooms.state(next, 'm.room.create')).toMatchObject({ additional_creators: [CAROL] });
    const last = await upgrade(next, '12');
    expect(await rooms.state(last, 'm.room.create')).not.toHaveProperty('additional_creators');
  });

  it('is named for creators where they are no longer above all levels', async () => {
    const old = await begin('12', { creation_content: { additional_creators: [BOB] } });
    const next = await upgrade(old, '11', ALICE, [DAVE]);
    expect(await rooms.state(next, 'm.room.create')).not.toHaveProperty('additional_creators');
    expect((await levelsOf(next))?.['users']).toEqual({ [ALICE]: 150, [BOB]: 150 });
    await upgrade(next, '12', BOB).then(
      () => expect.unreachable(),
      ({ errcode }) => expect(errcode).toBe('M_NOT_FOUND'), // Bob has not joined
    );
  });

  it.each([
    [
      'admins, where the highest of them steps below',
      { [CAROL]: MAX, [DAVE]: 100 },
      0,
      MAX,
      { [CAROL]: MAX - 1, [DAVE]: 100 },
    ],
    ['admins who stand above what is needed', { [CAROL]: 200 }, 0, 201, { [CAROL]: 200 }],
    ['everybody', {}, 300, 301, {}],
  ])('stays with those who were creators, above %s', async (_, users, users_default, creators, others) => {
    const creation_content = { additional_creators: [BOB] };
    const old = await begin('12', { creation_content, power_level_content_override: { users, users_default } });
    const levels = await levelsOf(await upgrade(old, '11'));
    expect(levels?.['users']).toEqual({ ...others, [ALICE]: creators, [BOB]: creators });
  });

  it.each([
    ['10', { 'm.room.tombstone': 100 }, 50, 150],
    ['11', { 'm.room.tombstone': 0 }, 200, 201],
    ['11', { 'm.room.tombstone': 170 }, 50, 170],
    ['12', { 'm.room.tombstone': 70 }, 50, 70],
  ])(
    'to become a creator by upgrading again is not given to admins of version %s: %j',
    async (from, events, other, level) => {
      const old = await begin(from, {
        power_level_content_override: { events, state_default: other, users: own(from) },
      });
      expect((await levelsOf(await upgrade(old, '12')))?.['events']).toMatchObject({ 'm.room.tombstone': level });
    },
  );

  it.each(['9', '10'])('is counted in numbers, to version %s', async (to) => {
    const old = await begin('9');
    const users = { [ALICE]: '100', [BOB]: ' 7', [CAROL]: `-${'9'.repeat(20)}`, '@bob:bad host': 50 };
    await setOldLevels(old, { users, ban: '40', notifications: { room: '20' }, odd: 'text' });
    const levels = await levelsOf(await upgrade(old, to));
    const counted = { [ALICE]: 100, [BOB]: 7, [CAROL]: -MAX };
    expect(levels).toMatchObject({ ban: 40, notifications: { room: 20 } });
    expect(levels?.['users']).toEqual(counted);
    expect(levels).not.toHaveProperty('odd');
  });
});

describe('a space', () => {
  it('takes the rooms in it along, not those that were taken out', async () => {
    const old = await begin('11', { creation_content: { type: 'm.space' } });
    const child = { via: ['a.example'], order: 'a', suggested: true };
    await rooms.setState(ALICE, old, 'm.space.child', child, '!in:a.example');
    await rooms.setState(ALICE, old, 'm.space.child', {}, '!out:a.example');
    await rooms.setState(ALICE, old, 'm.space.child', { via: [] }, '!gone:a.example');
    const next = await upgrade(old, '12');
    expect(await rooms.state(next, 'm.space.child', '!in:a.example')).toEqual(child);
    expect(await rooms.state(next, 'm.space.child', '!out:a.example')).toBeUndefined();
    expect(await rooms.state(next, 'm.space.child', '!gone:a.example')).toBeUndefined();
  });

  it('takes along so many that they are more than a log takes at once', async () => {
    const log = new MemoryEventStore();
    const limit = 1024 * 1024;
    const append = log.append.bind(log);
    log.append = (stream, expected, facts) => {
      const bytes = facts.reduce((sum, { data, metadata }) => sum + data.length + JSON.stringify(metadata).length, 0);
      return bytes > limit ? Promise.reject(new AppendTooLarge('too much', limit)) : append(stream, expected, facts);
    };
    rooms = new RoomCommands(new RoomViews(log));
    const levels = { events: { 'm.space.child': 60 } };
    const old = await begin('11', { creation_content: { type: 'm.space' }, power_level_content_override: levels });
    const ids = Array.from({ length: 700 }, (_, i) => `!${i}:a.example`);
    const via = Array.from({ length: 20 }, (_, i) => `${i}.servers.of.a.large.federation.example`);
    for (const id of ids) await rooms.setState(ALICE, old, 'm.space.child', { via }, id);
    for (const version of ['11', '12']) {
      const next = await upgrade(old, version);
      const kept = await rooms.workers.run(next, { actor: ALICE }, (turn) =>
        turn.findStates(ids.map((stateKey) => ({ type: 'm.space.child', stateKey }))),
      );
      expect(kept.result).toHaveLength(ids.length);
      expect(await levelsOf(next)).toMatchObject(levels);
    }
  });

  it('alone does so', async () => {
    const old = await begin('11');
    await rooms.setState(ALICE, old, 'm.space.child', { via: ['a.example'] }, '!in:a.example');
    expect(await rooms.state(await upgrade(old, '12'), 'm.space.child', '!in:a.example')).toBeUndefined();
  });
});

describe('aliases', () => {
  it('move to the new room, and the canonical one with them', async () => {
    const old = await begin('11', { room_alias_name: 'lobby' });
    const other = '#other:a.example' as RoomAlias;
    await rooms.execute(new CreateAlias(requesterOf(ALICE), other, old));
    const canonical = { alias: '#lobby:a.example', alt_aliases: [other] };
    await rooms.setState(ALICE, old, 'm.room.canonical_alias', canonical);
    const next = await upgrade(old, '12');
    expect(await rooms.state(next, 'm.room.canonical_alias')).toEqual(canonical);
    expect(await rooms.state(old, 'm.room.canonical_alias')).toEqual({});
    for (const alias of [canonical.alias, other]) {
      expect(JSON.parse((await rooms.views.get('aliases', [alias])) ?? '')).toMatchObject({ room_id: next });
    }
  });

  it('move although the user may not say so in the old room', async () => {
    const events = { 'm.room.tombstone': 0, 'm.room.canonical_alias': 50 };
    const old = await begin('11', { room_alias_name: 'lobby', power_level_content_override: { events } });
    await rooms.join(BOB, old);
    const next = await upgrade(old, '12', BOB);
    expect(JSON.parse((await rooms.views.get('aliases', ['#lobby:a.example'])) ?? '')).toMatchObject({ room_id: next });
  });
});

it('lets aliases and the place in the directory follow where another server upgraded the room, and says nothing there', async () => {
  const old = await begin('11', { room_alias_name: 'lobby', visibility: 'public' });
  await rooms.setState(ALICE, old, 'm.room.canonical_alias', { alias: '#lobby:a.example' });
  const { replacementRoom: next } = await rooms.execute(new UpgradeRoom(requesterOf(ALICE), old, '12', []));
  const events = [old, next].map((roomId) => rooms.facts(roomId, 'pdu-accepted').length);
  const clock = { now: () => 1, elapsed: () => 1 };
  const aliases = new Aliases(
    rooms.views.today,
    clock,
    rooms.views,
    { serverName: TEST_AUTHOR.serverName },
    new AppServices(),
  );
  const elsewhere = { serverName: 'b.example' as ServerName };
  const handler = new CompleteUpgradeHandler(rooms.workers, rooms.views, aliases, elsewhere);
  await handler.execute(new CompleteUpgrade(requesterOf(ALICE), old, next));
  expect([await aliases.listOf(old), await aliases.listOf(next)]).toEqual([[], ['#lobby:a.example']]);
  expect(await rooms.views.getMany('public-rooms', [[old], [next]])).toEqual([undefined, expect.anything()]);
  expect([old, next].map((roomId) => rooms.facts(roomId, 'pdu-accepted').length)).toEqual(events);
});

it('goes on where the policy of a room does not want what belongs to it, and is done again where that does not answer', async () => {
  const away = { is: true };
  const policy: Policy = async ({ type }) => {
    if (type !== 'm.room.canonical_alias') return { isAllowed: true };
    if (away.is) throw new PolicyAway();
    return { isAllowed: false, reason: 'no' };
  };
  const old = await begin('11', { room_alias_name: 'lobby' });
  const { replacementRoom: next } = await rooms.execute(new UpgradeRoom(requesterOf(ALICE), old, '11', []));
  const asking = new RoomCommands(rooms.views, TEST_AUTHOR, undefined, policy);
  const done = () => asking.execute(new CompleteUpgrade(requesterOf(ALICE), old, next));
  await expect(done()).rejects.toThrow(PolicyAway);
  away.is = false;
  await done();
  expect(await rooms.state(next, 'm.room.canonical_alias')).toBeUndefined();
  // What comes behind it is done.
  expect((await levelsOf(old))?.['events_default']).toBeGreaterThanOrEqual(50);
});

describe('an upgrade is refused', () => {
  it('to versions that nobody knows, of rooms that nobody knows', async () => {
    const old = await begin('11');
    await refused(upgrade(old, '99'), 'M_UNSUPPORTED_ROOM_VERSION');
    await refused(upgrade('!none:a.example' as RoomId, '11'), 'M_NOT_FOUND');
  });

  it('to who may not bury the room, and then nothing happens', async () => {
    const old = await begin('11');
    await refused(upgrade(old, '12', BOB), 'M_NOT_FOUND');
    await rooms.join(BOB, old);
    const { length } = rooms.log.facts;
    await refused(upgrade(old, '12', BOB));
    await refused(upgrade(old, '12', ALICE, ['bob' as UserId]), 'M_INVALID_PARAM');
    expect(rooms.log.facts).toHaveLength(length);
  });
});
