import { beforeEach, describe, expect, it } from 'vitest';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { ROOM_VERSIONS } from '#protocol/room-versions/room-versions';
import { emptyObject } from '#testing/empty-object';
import { ALICE, BOB } from '#testing/local-room';
import { requesterOf, RoomCommands } from '#testing/room-commands';
import { CreateAlias } from '#directory/commands/create-alias';
import { DeleteAlias } from '#directory/commands/delete-alias';
import { RedactEvent } from './redact-event.js';
import { SendEvent } from './send-event.js';
import { SetRoomListed } from './set-room-listed.js';

let rooms: RoomCommands;
let roomId: RoomId;

beforeEach(async () => {
  rooms = new RoomCommands();
  roomId = await rooms.createRoom(ALICE, { preset: 'public_chat', room_version: '11' });
  await rooms.join(BOB, roomId);
});

async function refused(command: Promise<unknown>, errcode = 'M_FORBIDDEN'): Promise<void> {
  await expect(command).rejects.toMatchObject({ errcode });
}

function redact(
  user = ALICE,
  eventId: EventId,
  txnId?: string,
  content: JsonObject = {},
): Promise<{ eventId: EventId }> {
  return rooms.execute(new RedactEvent(requesterOf(user), roomId, eventId, content, txnId));
}

function sendRedaction(user = ALICE, content: JsonObject): Promise<{ eventId: EventId }> {
  return rooms.execute(new SendEvent(requesterOf(user), roomId, 'm.room.redaction', content));
}

describe('sending', () => {
  it('is for who is in the room', async () => {
    const closed = await rooms.createRoom(ALICE);
    await refused(rooms.send(BOB, closed));
    await refused(rooms.send(ALICE, '!none:a.example' as RoomId));
  });

  it('refuses what has no canonical form or does not fit', async () => {
    await refused(rooms.send(ALICE, roomId, { half: 0.5 }), 'M_BAD_JSON');
    await refused(rooms.send(ALICE, roomId, { body: 'x'.repeat(65_536) }), 'M_TOO_LARGE');
    await refused(rooms.setState(ALICE, roomId, 'm.odd', {}, 'x'.repeat(256)), 'M_TOO_LARGE');
    await refused(rooms.setState(ALICE, roomId, 'm'.repeat(256), {}), 'M_TOO_LARGE');
    await rooms.setState(ALICE, roomId, 'm.odd', {}, 'ü'.repeat(127));
  });

  it('allows half numbers in the rooms that know no better', async () => {
    const old = await rooms.createRoom(ALICE, { room_version: '5' });
    await rooms.send(ALICE, old, { half: 0.5 });
    expect(rooms.events(old).at(-1)?.['content']).toEqual({ half: 0.5 });
  });
});

describe('a transaction', () => {
  const messages = (): number => rooms.events(roomId).filter(({ type }) => type === 'm.room.message').length;

  it('is one event, however often it is asked for, one after another or at once', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => rooms.send(ALICE, roomId, { body: 'hi' }, 't1')));
    ids.push(await rooms.send(ALICE, roomId, { body: 'hi' }, 't1'));
    expect(new Set(ids).size).toBe(1);
    expect(messages()).toBe(1);
  });

  it('is still the same after a restart', async () => {
    const first = await rooms.send(ALICE, roomId, { body: 'hi' }, 't1');
    rooms = new RoomCommands(rooms.views);
    expect(await rooms.send(ALICE, roomId, { body: 'hi' }, 't1')).toBe(first);
    expect(messages()).toBe(1);
  });

  it('is of one device, one room and one path', async () => {
    const other = await rooms.createRoom(ALICE);
    const content = { body: 'hi' };
    const ids = [
      await rooms.send(ALICE, roomId, content, 't1'),
      await rooms.send(ALICE, other, content, 't1'),
      await rooms.send(ALICE, roomId, content, 't2'),
      await rooms.send(BOB, roomId, content, 't1'),
    ];
    for (const [device, type] of [
      ['TABLET', 'm.room.message'],
      ['PHONE', 'm.odd'],
    ] as const) {
      const command = new SendEvent(requesterOf(ALICE, device), roomId, type, content, 't1');
      ids.push((await rooms.execute(command)).eventId);
    }
    expect(new Set(ids).size).toBe(6);
  });

  it('of a redaction is another one for another event', async () => {
    const [one, two] = [await rooms.send(ALICE, roomId), await rooms.send(ALICE, roomId)];
    const first = await redact(ALICE, one, 't1');
    expect(await redact(ALICE, one, 't1')).toEqual(first);
    expect(await redact(ALICE, two, 't1')).not.toEqual(first);
    expect(rooms.redacted(roomId).map(({ event_id }) => event_id)).toEqual([one, two]);
  });

  it('is told to nobody else: what was refused may be asked for again', async () => {
    const closed = await rooms.createRoom(ALICE);
    await refused(rooms.send(BOB, closed, { body: 'hi' }, 't1'));
    await rooms.setState(ALICE, closed, 'm.room.join_rules', { join_rule: 'public' });
    await rooms.join(BOB, closed);
    await rooms.send(BOB, closed, { body: 'hi' }, 't1');
  });
});

describe.each(ROOM_VERSIONS.map(({ id, redactsInContent }) => [id, redactsInContent] as const))(
  'redacting in a room of version %s',
  (version, inContent) => {
    beforeEach(async () => {
      roomId = await rooms.createRoom(ALICE, { preset: 'public_chat', room_version: version });
      await rooms.join(BOB, roomId);
    });

    it('leaves of an event what is essential, and says who did it and why', async () => {
      const said = await rooms.send(BOB, roomId, { body: 'oops' });
      const { eventId } = await redact(BOB, said, 't1', { reason: 'typo', redacts: '$other' });
      expect(rooms.redacted(roomId)).toMatchObject([
        { event_id: said, redacted_by: eventId, pdu: { content: emptyObject() } },
      ]);
      const { content, redacts } = rooms.events(roomId).at(-1) ?? {};
      expect(content).toEqual(inContent ? { reason: 'typo', redacts: said } : { reason: 'typo' });
      expect(redacts).toBe(inContent ? undefined : said);
    });

    it("is for the sender of the event, and for who has the level for others'", async () => {
      const said = await rooms.send(ALICE, roomId);
      await refused(redact(BOB, said));
      await refused(sendRedaction(BOB, { redacts: said }));
      const saidByBob = await rooms.send(BOB, roomId);
      await redact(ALICE, saidByBob);
      expect(rooms.redacted(roomId)).toHaveLength(1);
    });

    it('can be sent as an event that names its target', async () => {
      const said = await rooms.send(BOB, roomId);
      await sendRedaction(BOB, { redacts: said, reason: 'typo' });
      expect(rooms.redacted(roomId)).toMatchObject([{ event_id: said }]);
      expect(rooms.events(roomId).at(-1)).toMatchObject(
        inContent ? { content: { redacts: said, reason: 'typo' } } : { redacts: said, content: { reason: 'typo' } },
      );
      await refused(sendRedaction(BOB, {}), 'M_MISSING_PARAM');
      await refused(sendRedaction(BOB, { redacts: 1 }), 'M_INVALID_PARAM');
    });

    it('spares the create event', async () => {
      const row = JSON.parse(rooms.facts(roomId)[0]?.data ?? '') as { event_id: EventId };
      await refused(redact(ALICE, row.event_id));
    });
  },
);

describe('redacting', () => {
  it('twice leaves the same', async () => {
    const said = await rooms.send(BOB, roomId);
    await redact(BOB, said);
    await redact(ALICE, said);
    expect(rooms.redacted(roomId).map(({ pdu }) => pdu['content'])).toEqual([{}, {}]);
  });

  it('a state event leaves its place in the state, and is what later decisions go by', async () => {
    const topic = await rooms.setState(ALICE, roomId, 'm.room.topic', { topic: 'secret' });
    await redact(ALICE, topic);
    expect(await rooms.state(roomId, 'm.room.topic')).toEqual({});
    const old = await rooms.createRoom(ALICE, { room_version: '10', power_level_content_override: { invite: 100 } });
    roomId = old;
    await rooms.setState(ALICE, old, 'm.room.join_rules', { join_rule: 'public' });
    await rooms.join(BOB, old);
    const levels = await rooms.setState(ALICE, old, 'm.room.power_levels', {
      ...(await rooms.state(old, 'm.room.power_levels')),
      invite: 100,
      odd: 1,
    });
    const carol = '@carol:a.example';
    const invite = (): Promise<EventId> => rooms.setState(BOB, old, 'm.room.member', { membership: 'invite' }, carol);
    await refused(invite());
    // Before version 11 a redaction takes the level to invite away.
    await redact(ALICE, levels);
    await invite();
  });

  it('is for who is in the room', async () => {
    const said = await rooms.send(BOB, roomId);
    await rooms.setState(BOB, roomId, 'm.room.member', { membership: 'leave' }, BOB);
    await refused(redact(BOB, said));
  });
});

describe('setting a key of the state', () => {
  it('to what its sender has set already answers the event of then', async () => {
    const first = await rooms.setState(ALICE, roomId, 'm.odd', { a: 1, b: { c: 2 } });
    expect(await rooms.setState(ALICE, roomId, 'm.odd', { b: { c: 2 }, a: 1 })).toBe(first);
    expect(await rooms.setState(ALICE, roomId, 'm.odd', { a: 1 })).not.toBe(first);
  });

  it('needs the level, also for what another has set', async () => {
    await rooms.setState(ALICE, roomId, 'm.odd', { a: 1 });
    await refused(rooms.setState(BOB, roomId, 'm.odd', { a: 1 }));
    await refused(rooms.setState(BOB, roomId, 'm.odd', {}, `@${BOB}`));
  });

  it('cannot begin the room again', async () => {
    const create = (user = ALICE): Promise<EventId> =>
      rooms.setState(user, roomId, 'm.room.create', { room_version: '11', odd: 1 });
    await refused(create(), 'M_BAD_STATE');
    await refused(create(BOB), 'M_BAD_STATE');
    await refused(rooms.execute(new SendEvent(requesterOf(ALICE), roomId, 'm.room.create', {})), 'M_BAD_STATE');
  });
});

describe('the canonical alias', () => {
  const set = (content: JsonObject): Promise<EventId> =>
    rooms.setState(ALICE, roomId, 'm.room.canonical_alias', content);

  it('and its alternatives are aliases of this room', async () => {
    const other = await rooms.createRoom(ALICE, { room_alias_name: 'other' });
    expect(other).not.toBe(roomId);
    await rooms.execute(new CreateAlias(requesterOf(ALICE), '#here:a.example' as never, roomId));
    await set({ alias: '#here:a.example', alt_aliases: ['#here:a.example'] });
    await refused(set({ alias: '#none:a.example' }), 'M_BAD_ALIAS');
    await refused(set({ alias: '#other:a.example' }), 'M_BAD_ALIAS');
    await refused(set({ alt_aliases: ['#other:a.example'] }), 'M_BAD_ALIAS');
    await refused(set({ alias: 'here' }), 'M_INVALID_PARAM');
    await refused(set({ alt_aliases: [1] }), 'M_INVALID_PARAM');
    await refused(set({ alt_aliases: '#here:a.example' }), 'M_BAD_JSON');
    for (const alias of [null, '']) await set({ alias });
    await set({});
  });

  it('may keep what it said before, also when that is gone', async () => {
    roomId = await rooms.createRoom(ALICE, { room_alias_name: 'gone' });
    await rooms.execute(new DeleteAlias(requesterOf(BOB, 'PHONE', true), '#gone:a.example' as never));
    await set({ alias: '#gone:a.example', odd: 1 });
  });
});

describe('the public directory', () => {
  const list = (user = ALICE, listed: boolean, isAdmin = false): Promise<void> =>
    rooms.execute(new SetRoomListed(requesterOf(user, 'PHONE', isAdmin), roomId, listed));
  const isListed = async (): Promise<boolean> => (await rooms.views.get('public-rooms', [roomId])) !== undefined;

  it('is changed by who may change the canonical alias, and by administrators', async () => {
    await refused(list(BOB, true));
    await list(ALICE, true);
    expect(await isListed()).toBe(true);
    await list(BOB, false, true);
    expect(await isListed()).toBe(false);
    await rooms.setState(ALICE, roomId, 'm.room.member', { membership: 'leave' }, ALICE);
    await refused(list(ALICE, true));
  });
});
