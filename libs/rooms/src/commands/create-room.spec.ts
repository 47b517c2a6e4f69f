import { beforeEach, describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { ALICE, BOB } from '#testing/local-room';
import { RoomCommands } from '#testing/room-commands';
import type { CreateRoomOptions, Preset } from '../decide/new-room-events.js';

const CAROL = '@carol:a.example' as UserId;
const PRESETS: readonly Preset[] = ['private_chat', 'trusted_private_chat', 'public_chat'];
const VERSIONS = ROOM_VERSIONS.map((version) => version.id);

let rooms: RoomCommands;

beforeEach(() => {
  rooms = new RoomCommands();
});

/** The room's state events, as `type` or `type:state_key`. */
function order(roomId: Parameters<RoomCommands['events']>[0]): string[] {
  return rooms
    .events(roomId)
    .map(({ type, state_key: key }) => (key === '' ? String(type) : `${String(type)}:${String(key)}`));
}

function refusal(options: CreateRoomOptions): Promise<unknown> {
  return rooms.createRoom(ALICE, options).then(
    () => 'created',
    ({ errcode, status }: { errcode: string; status: number }) => [status, errcode],
  );
}

describe.each(VERSIONS)('a room of version %s', (version) => {
  it.each(PRESETS)('begins as a %s with every event allowed', async (preset) => {
    const options = { room_version: version, preset, name: 'Name', topic: 'Topic', invite: [BOB], is_direct: true };
    const roomId = await rooms.createRoom(ALICE, options);
    expect(order(roomId)).toEqual([
      'm.room.create',
      `m.room.member:${ALICE}`,
      'm.room.power_levels',
      'm.room.join_rules',
      'm.room.history_visibility',
      'm.room.guest_access',
      'm.room.name',
      'm.room.topic',
      `m.room.member:${BOB}`,
    ]);
    expect(await rooms.state(roomId, 'm.room.create')).toMatchObject({ room_version: version });
    const open = preset === 'public_chat';
    expect(await rooms.state(roomId, 'm.room.join_rules')).toEqual({ join_rule: open ? 'public' : 'invite' });
    expect(await rooms.state(roomId, 'm.room.guest_access')).toEqual({ guest_access: open ? 'forbidden' : 'can_join' });
    expect(await rooms.state(roomId, 'm.room.history_visibility')).toEqual({ history_visibility: 'shared' });
    expect(await rooms.state(roomId, 'm.room.member', BOB)).toEqual({ membership: 'invite', is_direct: true });
    await rooms.join(BOB, roomId);
    await rooms.send(BOB, roomId);
  });

  it('takes what its creator overrides of the power levels, key by key', async () => {
    const power_level_content_override = { invite: 30, events: { 'm.room.topic': 5 } };
    const roomId = await rooms.createRoom(ALICE, { room_version: version, power_level_content_override });
    expect(await rooms.state(roomId, 'm.room.power_levels')).toMatchObject({
      ...power_level_content_override,
      ban: 50,
      state_default: 50,
    });
  });
});

describe('the power to end a room whose creators are above all levels', () => {
  const levels = async (override: JsonObject, version = '12'): Promise<JsonObject> => {
    const options = { room_version: version, power_level_content_override: override };
    return (await rooms.state(await rooms.createRoom(ALICE, options), 'm.room.power_levels'))?.['events'] as JsonObject;
  };

  it('stays above that to set other state, whatever else of the levels is overridden', async () => {
    expect(await levels({})).toMatchObject({ 'm.room.tombstone': 150 });
    expect(await levels({ events: { 'm.room.topic': 5 } })).toEqual({ 'm.room.topic': 5, 'm.room.tombstone': 150 });
    expect(await levels({ state_default: 200 })).toMatchObject({ 'm.room.tombstone': 201 });
    expect(await levels({ state_default: 200, events: {} })).toEqual({ 'm.room.tombstone': 201 });
  });

  it('is what the creator says it is', async () => {
    expect(await levels({ events: { 'm.room.tombstone': 60 } })).toEqual({ 'm.room.tombstone': 60 });
    expect(await levels({ events: { 'm.room.topic': 5 } }, '11')).toEqual({ 'm.room.topic': 5 });
  });
});

describe('those a trusted chat begins with', () => {
  it('have the power of its creator', async () => {
    const options = { room_version: '11', preset: 'trusted_private_chat', invite: [BOB] } as const;
    const levels = await rooms.state(await rooms.createRoom(ALICE, options), 'm.room.power_levels');
    expect(levels?.['users']).toEqual({ [ALICE]: 100, [BOB]: 100 });
  });

  it('are creators too where creators are above all levels', async () => {
    const creation_content = { additional_creators: [CAROL] };
    const options = { room_version: '12', preset: 'trusted_private_chat', invite: [BOB], creation_content } as const;
    const roomId = await rooms.createRoom(ALICE, options);
    expect(await rooms.state(roomId, 'm.room.create')).toEqual({
      room_version: '12',
      additional_creators: [CAROL, BOB],
    });
    const levels = await rooms.state(roomId, 'm.room.power_levels');
    expect(levels).toMatchObject({ users: {}, events: { 'm.room.tombstone': 150 } });
    expect(levels?.['users']).toEqual({});
  });

  it('have no power in any other chat', async () => {
    for (const version of ['11', '12']) {
      const roomId = await rooms.createRoom(ALICE, { room_version: version, invite: [BOB] });
      expect(await rooms.state(roomId, 'm.room.create')).not.toHaveProperty('additional_creators');
      expect((await rooms.state(roomId, 'm.room.power_levels'))?.['users']).not.toHaveProperty(BOB);
    }
  });
});

describe('what a room begins with', () => {
  it('is a private chat of the newest version where nothing is asked for, and a public one where it shows', async () => {
    const plain = await rooms.createRoom(ALICE);
    expect(await rooms.state(plain, 'm.room.create')).toEqual({ room_version: DEFAULT_ROOM_VERSION });
    expect(await rooms.state(plain, 'm.room.join_rules')).toEqual({ join_rule: 'invite' });
    expect(await rooms.views.get('public-rooms', [plain])).toBeUndefined();
    const shown = await rooms.createRoom(ALICE, { visibility: 'public' });
    expect(await rooms.state(shown, 'm.room.join_rules')).toEqual({ join_rule: 'public' });
    expect(await rooms.views.get('public-rooms', [shown])).toBe('');
  });

  it('comes from initial_state before the preset, and from name and topic before initial_state', async () => {
    const roomId = await rooms.createRoom(ALICE, {
      name: 'by name',
      initial_state: [
        { type: 'm.room.name', content: { name: 'by state' } },
        { type: 'm.room.topic', content: { topic: 'by state' }, state_key: '' },
        { type: 'm.room.join_rules', content: { join_rule: 'knock' }, state_key: null },
        { type: 'm.odd', content: { a: 1 }, state_key: 'k' },
      ],
    });
    expect(await rooms.state(roomId, 'm.room.name')).toEqual({ name: 'by name' });
    expect(await rooms.state(roomId, 'm.room.topic')).toEqual({ topic: 'by state' });
    expect(await rooms.state(roomId, 'm.room.join_rules')).toEqual({ join_rule: 'knock' });
    expect(await rooms.state(roomId, 'm.odd', 'k')).toEqual({ a: 1 });
    expect(order(roomId).filter((type) => type === 'm.room.join_rules')).toHaveLength(1);
  });

  it('lets power levels in initial_state stand for the usual ones', async () => {
    const content = { users: { [ALICE]: 60 }, events: { 'm.room.name': 60 } };
    const initial_state = [{ type: 'm.room.power_levels', content }];
    const roomId = await rooms.createRoom(ALICE, { room_version: '11', initial_state, name: 'Name' });
    expect(await rooms.state(roomId, 'm.room.power_levels')).toEqual(content);
    expect(order(roomId).filter((type) => type === 'm.room.power_levels')).toHaveLength(1);
  });

  it('keeps what creation_content says, but not who made it in which version', async () => {
    const creation_content = { type: 'm.space', 'm.federate': false, creator: BOB, room_version: '3' };
    const old = await rooms.createRoom(ALICE, { room_version: '10', creation_content });
    expect(await rooms.state(old, 'm.room.create')).toEqual({
      type: 'm.space',
      'm.federate': false,
      creator: ALICE,
      room_version: '10',
    });
    const next = await rooms.createRoom(ALICE, { room_version: '11', creation_content });
    expect(await rooms.state(next, 'm.room.create')).toEqual({
      type: 'm.space',
      'm.federate': false,
      room_version: '11',
    });
  });
});

describe('a room is not begun', () => {
  it('of a version nobody knows', async () => {
    expect(await refusal({ room_version: '99' })).toEqual([400, 'M_UNSUPPORTED_ROOM_VERSION']);
  });

  it('with state that its own power levels forbid', async () => {
    const users = { [ALICE]: 10 };
    const forbidden = { room_version: '11', power_level_content_override: { users }, name: 'Name' };
    expect(await refusal(forbidden)).toEqual([400, 'M_INVALID_ROOM_STATE']);
    expect(await refusal({ ...forbidden, room_alias_name: 'lobby' })).toEqual([400, 'M_INVALID_ROOM_STATE']);
    // The alias is free again.
    expect(await refusal({ room_alias_name: 'lobby' })).toBe('created');
  });

  it('with a creator among the power levels where creators are above them', async () => {
    const override = (users: JsonObject): CreateRoomOptions => ({ power_level_content_override: { users } });
    expect(await refusal({ room_version: '12', ...override({ [ALICE]: 100 }) })).toEqual([400, 'M_INVALID_PARAM']);
    const creation_content = { additional_creators: [BOB] };
    expect(await refusal({ room_version: '12', creation_content, ...override({ [BOB]: 100 }) })).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
    const initial_state = [{ type: 'm.room.power_levels', content: { users: { [ALICE]: 100 } } }];
    expect(await refusal({ room_version: '12', initial_state })).toEqual([400, 'M_INVALID_PARAM']);
    expect(await refusal({ room_version: '12', ...override({ [BOB]: 100 }) })).toBe('created');
  });

  it('with additional creators that are no users', async () => {
    for (const additional_creators of ['@bob:a.example', ['bob'], [1]]) {
      const creation_content = { additional_creators };
      expect(await refusal({ room_version: '12', creation_content })).toEqual([400, 'M_INVALID_PARAM']);
    }
  });

  it('with its creator among the invited', async () => {
    expect(await refusal({ invite: [ALICE] })).toEqual([403, 'M_FORBIDDEN']);
  });

  it('under an alias that is taken or none', async () => {
    await rooms.createRoom(ALICE, { room_alias_name: 'lobby' });
    expect(await refusal({ room_alias_name: 'lobby' })).toEqual([400, 'M_ROOM_IN_USE']);
    for (const room_alias_name of ['', 'a:b', 'a\0b', 'x'.repeat(255)]) {
      expect(await refusal({ room_alias_name })).toEqual([400, 'M_INVALID_PARAM']);
    }
  });

  it('with state that the rules could not read, and then nothing is written', async () => {
    const state = (type: string, content: JsonObject, state_key = ''): CreateRoomOptions => ({
      initial_state: [{ type, content, state_key }],
    });
    const { length } = rooms.log.facts;
    expect(await refusal(state('m.room.join_rules', { ciphertext: 'x' }))).toEqual([400, 'M_BAD_JSON']);
    expect(await refusal(state('m.room.history_visibility', {}))).toEqual([400, 'M_BAD_JSON']);
    expect(await refusal({ creation_content: { 'm.federate': 1 } as JsonObject })).toEqual([400, 'M_BAD_JSON']);
    expect(await refusal({ power_level_content_override: { events: 5 } })).toEqual([400, 'M_BAD_JSON']);
    expect(await refusal(state('m.room.create', {}))).toEqual([400, 'M_INVALID_ROOM_STATE']);
    expect(await refusal(state('m.room.redaction', { redacts: '$event' }))).toEqual([400, 'M_INVALID_PARAM']);
    expect(await refusal(state('m.room.member', { membership: 'leave' }, 'nobody'))).toEqual([400, 'M_INVALID_PARAM']);
    expect(await refusal(state('m.room.member', { membership: 'leave' }, BOB))).toEqual([400, 'M_INVALID_ROOM_STATE']);
    const stranger = '@x:elsewhere.example';
    expect(await refusal(state('m.room.member', { membership: 'invite' }, stranger))).toEqual([403, 'M_FORBIDDEN']);
    expect(await refusal({ room_alias_name: 'lobby', ...state('m.room.join_rules', {}) })).toEqual([400, 'M_BAD_JSON']);
    expect(rooms.log.facts).toHaveLength(length);
  });

  it('with an alias of another room as its own', async () => {
    await rooms.createRoom(ALICE, { room_alias_name: 'lobby' });
    const own = (alias: string): CreateRoomOptions => ({
      initial_state: [{ type: 'm.room.canonical_alias', content: { alias } }],
    });
    expect(await refusal(own('#lobby:a.example'))).toEqual([400, 'M_BAD_ALIAS']);
    expect(await refusal({ room_alias_name: 'mine', ...own('#lobby:a.example') })).toEqual([400, 'M_BAD_ALIAS']);
    expect(await refusal({ room_alias_name: 'mine', ...own('#mine:a.example') })).toBe('created');
  });

  it('with content that has no canonical form', async () => {
    expect(await refusal({ creation_content: { half: 0.5 } })).toEqual([400, 'M_BAD_JSON']);
  });
});

describe('an alias asked for', () => {
  it('points to the room and is its canonical one', async () => {
    const roomId = await rooms.createRoom(ALICE, { room_alias_name: 'lobby' });
    expect(await rooms.state(roomId, 'm.room.canonical_alias')).toEqual({ alias: '#lobby:a.example' });
    expect(JSON.parse((await rooms.views.get('aliases', ['#lobby:a.example'])) ?? '')).toMatchObject({
      room_id: roomId,
    });
  });

  it('goes to one of those who ask at the same time', async () => {
    const asked = await Promise.all([1, 2, 3].map(() => refusal({ room_alias_name: 'lobby' })));
    expect(asked.filter((one) => one === 'created')).toHaveLength(1);
  });
});

it('a room begins now, also where the clock was ahead before', async () => {
  const now = rooms.now;
  rooms.now += 365 * 24 * 3_600_000;
  await rooms.createRoom(ALICE, { room_version: '12' });
  rooms.now = now;
  const create = rooms.events(await rooms.createRoom(ALICE, { room_version: '12' }))[0];
  expect(create?.['origin_server_ts']).toBe(now);
});

it('rooms alike that begin in the same millisecond are rooms of their own', async () => {
  const begun = await Promise.all([1, 2, 3].map(() => rooms.createRoom(ALICE, { room_version: '12' })));
  expect(new Set(begun).size).toBe(3);
});

it('asks everybody in once', async () => {
  const roomId = await rooms.createRoom(ALICE, { invite: [BOB, CAROL, BOB] });
  expect(order(roomId).filter((type) => type.startsWith('m.room.member'))).toHaveLength(3);
  await expect(rooms.send(BOB, roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});
