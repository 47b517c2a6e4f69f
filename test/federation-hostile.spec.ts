import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { type ForeignEvent, ForeignKey, type Json, Raw } from './support/federation/foreign-events.js';
import { HostileServer, type SharedRoom } from './support/federation/hostile-server.js';
import { Member } from './support/federation/member.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

const authority = new TestAuthority();
let server: FederatingAnnals;
let hostile: HostileServer;
let alice: Member;
let room: SharedRoom;

/** Ids of events that nothing may be kept of, in any room. */
const never = new Set<string>();
const rooms = new Set<string>();

beforeAll(async () => {
  hostile = await HostileServer.start(authority);
  server = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  alice = await Member.at(server, 'alice');
  room = await shared();
});
afterEach(async () => {
  // Whatever came, its own users are served.
  const said = await alice.say(room.roomId, 'still here');
  expect((await alice.event(room.roomId, said)).content.body).toBe('still here');
});
afterAll(async () => {
  await hostile.stop();
  await server.remove();
});

/** A room of Alice's that the other server is in. */
async function shared(options: object = {}): Promise<SharedRoom> {
  const roomId = await alice.create('10', options);
  rooms.add(roomId);
  return hostile.join(server, roomId, 'mallory');
}

const isShown = async (eventId: string, inRoom = room): Promise<boolean> => {
  const path = `/rooms/${encodeURIComponent(inRoom.roomId)}/event/${encodeURIComponent(eventId)}`;
  return (await alice.request('GET', path)).status === 200;
};

/** Sends an event that must be refused, and of which nothing must be kept. */
async function expectNothingOf(event: ForeignEvent): Promise<void> {
  never.add(event.id);
  expect(await hostile.tell(server, event)).toEqual(expect.any(String));
}

describe('an event of another server', () => {
  it('is taken where it is as it should be', async () => {
    const event = hostile.message(room);
    expect(await hostile.tell(server, event)).toBeUndefined();
    expect(await isShown(event.id)).toBe(true);
  });

  it('is refused with a signature that does not hold, with none, and with that of another server', async () => {
    const { pdu, id } = hostile.message(room);
    const other = new ForeignKey();
    const forged = other.signatureOf({ anything: 'else' });
    for (const signatures of [
      { [hostile.name]: { 'ed25519:f': forged } },
      {},
      { [server.name]: { 'ed25519:f': forged } },
    ]) {
      await expectNothingOf({ id, pdu: { ...pdu, signatures } });
    }
    await expectNothingOf(hostile.message(room, { sender: alice.id }));
  });

  it('is taken as what a redaction leaves of it where its hash is another', async () => {
    const { pdu, id } = hostile.message(room);
    const content = { msgtype: 'm.text', body: 'what nobody signed' };
    expect(await hostile.tell(server, { id, pdu: { ...pdu, content } })).toBeUndefined();
    expect((await alice.event(room.roomId, id)).content).toEqual({});
  });

  it('is not taken in a room that its sender is not in, that is not here, or on events of another room', async () => {
    const roomId = await alice.create('10', { preset: 'private_chat' });
    rooms.add(roomId);
    await expectNothingOf(hostile.message(room, { room_id: '!nowhere:localhost' }));
    await expectNothingOf(hostile.message(room, { room_id: 'no room' }));
    // It is written down that this one was refused.
    const baseless = hostile.message(room, { room_id: roomId, auth_events: [], prev_events: [] });
    expect(await hostile.tell(server, baseless)).toBeUndefined();
    expect(await isShown(baseless.id)).toBe(false);
    const other = await shared();
    // What they name is not of their room, as far as is known: it is looked for.
    const named: Json[] = [{ room_id: roomId }, { auth_events: other.auth }, { prev_events: [other.join.id] }];
    for (const more of named) {
      const event = hostile.message(room, more);
      never.add(event.id);
      expect(await hostile.tell(server, event)).toBeUndefined();
      expect(await isShown(event.id)).toBe(false);
    }
  });

  it('is shown to nobody where its rules refuse it, and changes nothing', async () => {
    const levels = { type: 'm.room.power_levels', state_key: '', content: { users: { [room.user]: 100 } } };
    const kick = { type: 'm.room.member', state_key: alice.id, content: { membership: 'leave' } };
    const create = {
      type: 'm.room.create',
      state_key: '',
      content: { creator: room.user },
      prev_events: [],
      auth_events: [],
    };
    const before = await alice.state(room.roomId);
    // A second create event would begin another room; the others have their place, where it is written down that they were refused.
    const told = [undefined, undefined, expect.any(String)];
    for (const [i, more] of [levels, kick, create].entries()) {
      const event = hostile.message(room, more);
      expect(await hostile.tell(server, event)).toEqual(told[i]);
      expect(await isShown(event.id)).toBe(false);
    }
    expect(await alice.state(room.roomId)).toEqual(before);
  });

  it('is refused where it is too large, nests too deeply, or has numbers and types that no event has', async () => {
    const deep = (levels: number): Raw => new Raw(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
    const contents: unknown[] = [
      { body: 'x'.repeat(66_000) },
      { body: deep(150) },
      { body: new Raw('1.5') },
      { body: new Raw('1e400') },
      { body: new Raw('9007199254740993') },
      'no object',
      [],
    ];
    for (const content of contents) await hostile.tell(server, hostile.message(room, { content })).then(expectError);
    const fields: Json[] = [
      { depth: -1 },
      { depth: '5' },
      { depth: new Raw('9007199254740993') },
      { prev_events: 'none' },
      { prev_events: [[]] },
      { auth_events: Array.from({ length: 11 }, () => room.join.id) },
      { prev_events: Array.from({ length: 21 }, (_, i) => `$${i}`.padEnd(44, 'x')) },
      { origin_server_ts: 'now' },
      { sender: 'mallory' },
      { sender: `@${'m'.repeat(300)}:${hostile.name}` },
      { type: 7 },
      { type: 't'.repeat(256) },
      { state_key: 's'.repeat(256) },
      { type: undefined },
    ];
    for (const more of fields) await hostile.tell(server, hostile.message(room, more)).then(expectError);
    for (const [levels, refused] of [
      [20_000, 400],
      [60_000, 400],
      [100_000, 413],
    ] as const) {
      const { pdu } = hostile.message(room, { content: { body: deep(levels) } });
      expect(await hostile.send(server, [pdu])).toMatchObject({ status: refused });
    }
  });

  it('may be as deep as can be, and the room goes on behind it', async () => {
    const event = hostile.message(room, { depth: Number.MAX_SAFE_INTEGER });
    expect(await hostile.tell(server, event)).toBeUndefined();
    const said = await alice.say(room.roomId, 'deep');
    const next = hostile.message(room, { prev_events: [said], depth: Number.MAX_SAFE_INTEGER });
    expect(await hostile.tell(server, next)).toBeUndefined();
    expect([await isShown(event.id), await isShown(next.id)]).toEqual([true, true]);
    const newest = (await alice.history(room.roomId)).map(({ event_id: id }) => id);
    expect(newest).toEqual(expect.arrayContaining([event.id, said, next.id]));
  });
});

function expectError(told: string | undefined): void {
  expect(told).toEqual(expect.any(String));
}

describe('a transaction', () => {
  it('that comes again is answered as before, and done once', async () => {
    const event = hostile.message(room, { content: { body: 'once' } });
    const first = await hostile.send(server, [event.pdu], [], 'again');
    const second = await hostile.send(server, [event.pdu], [], 'again');
    expect(second).toEqual(first);
    const shown = (await alice.history(room.roomId)).filter(({ event_id: id }) => id === event.id);
    expect(shown).toHaveLength(1);
  });

  it('of more than 50 events or 100 others is refused whole', async () => {
    const events = Array.from({ length: 51 }, (_, i) => hostile.message(room, { content: { body: `${i}` } }));
    for (const { id } of events) never.add(id);
    const edus = Array.from({ length: 101 }, () => ({ edu_type: 'm.typing', content: {} }));
    const answers = [
      await hostile.send(
        server,
        events.map(({ pdu }) => pdu),
      ),
      await hostile.send(server, [], edus),
    ];
    for (const { status, body } of answers) expect([status, body.errcode]).toEqual([400, 'M_BAD_JSON']);
  });

  it('of millions of values that are no events is refused before anything is made of them', async () => {
    const { status, body } = await hostile.send(server, [new Raw(`[${'[],'.repeat(3_000_000)}[]]`)]);
    expect([status, body.errcode]).toEqual([413, 'M_TOO_LARGE']);
  });

  it('of as many events as it may hold is taken, each of as many values as fit into it', async () => {
    const full = { body: 'full', a: new Raw(`[${'[],'.repeat(21_400)}[]]`) };
    const events = Array.from({ length: 50 }, (_, i) => hostile.message(room, { content: { ...full, i } }));
    const messages = { [`@nobody:${server.name}`]: { '*': { a: full.a } } };
    const edus = Array.from({ length: 90 }, (_, i) => ({
      edu_type: 'm.direct_to_device',
      content: { sender: room.user, type: 'full', message_id: `full${i}`, messages },
    }));
    const pdus = events.map(({ pdu }) => pdu);
    const { status, body } = await hostile.send(server, pdus, edus);
    expect([status, body.pdus]).toEqual([200, Object.fromEntries(events.map(({ id }) => [id, {}]))]);
    expect(await isShown(events.at(-1)!.id)).toBe(true);
  });

  it('is taken of nobody but who signed it, for this server, at this path', async () => {
    const content = { origin: hostile.name, origin_server_ts: 1, pdus: [], edus: [] };
    const send = (more: Json) => hostile.ask(server, 'PUT', '/_matrix/federation/v1/send/x', content, more);
    const other = new ForeignKey();
    const answers = [
      await send({ sig: other.signatureOf(content) }),
      await send({ destination: 'elsewhere.example' }),
      await send({ origin: server.name }),
      await send({ key: 'ed25519:none' }),
      await hostile.askWith(server, 'PUT', '/_matrix/federation/v1/send/x', {}, '{}'),
    ];
    for (const { status, body } of answers) expect([status, body.errcode]).toEqual([401, 'M_UNAUTHORIZED']);
    for (const origin of ['no server!', 'localhost:http']) {
      expect(await send({ origin })).toMatchObject({ status: 400, body: { errcode: 'M_UNAUTHORIZED' } });
    }
  });

  it('with bad parts is taken without these', async () => {
    const event = hostile.message(room, { content: { body: 'among bad ones' } });
    const pdus = [null, 7, 'x', [], {}, { room_id: 7 }, { room_id: room.roomId }, event.pdu, { ...event.pdu, type: 1 }];
    const edus = [
      null,
      7,
      {},
      { edu_type: 7 },
      { edu_type: 'm.typing', content: { room_id: room.roomId, user_id: alice.id, typing: true } },
      {
        edu_type: 'm.receipt',
        content: { [room.roomId]: { 'm.read': { [alice.id]: { data: {}, event_ids: [event.id] } } } },
      },
      { edu_type: 'm.presence', content: { push: [{ user_id: alice.id, presence: 'online' }, null] } },
      {
        edu_type: 'm.direct_to_device',
        content: { sender: alice.id, type: 't', message_id: 'm', messages: { [alice.id]: { '*': {} } } },
      },
      { edu_type: 'm.device_list_update', content: { user_id: alice.id, device_id: 'D', stream_id: 1, keys: {} } },
      { edu_type: 'm.signing_key_update', content: { user_id: alice.id, master_key: {} } },
      ...[
        'm.typing',
        'm.receipt',
        'm.presence',
        'm.direct_to_device',
        'm.device_list_update',
        'm.signing_key_update',
      ].flatMap((type) =>
        [null, [], 'x', { user_id: 7, room_id: 7, push: 7, sender: 7, messages: 7 }].map((content) => ({
          edu_type: type,
          content,
        })),
      ),
    ];
    const { status, body } = await hostile.send(server, pdus, edus);
    expect([status, body.pdus[event.id]]).toEqual([200, {}]);
    await alice.followed.untilTold(room.roomId, event.id);
    expect(alice.followed.toDevice).toEqual([]);
    expect(JSON.stringify(alice.followed.room(room.roomId).ephemeral)).not.toContain(alice.id);
  });
});

describe('what an event misses', () => {
  it('is asked for within bounds, whatever is answered, and holds nobody up', async () => {
    const other = await shared();
    const unknown = (n: number): string => `$${`${n}`.padStart(43, 'u')}`;
    let made = 0;
    // Each event that is asked for stands on others that nobody has heard of.
    hostile.on('/_matrix/federation/v1/get_missing_events/.*', () => ({
      events: Array.from({ length: 20 }, () => hostile.message(other, { prev_events: [unknown(made++)] }).pdu),
    }));
    const ids = Array.from({ length: 10_000 }, (_, i) => unknown(1_000_000 + i));
    hostile.on('/_matrix/federation/v1/state_ids/.*', () => ({ pdu_ids: ids, auth_chain_ids: ids }));
    const event = hostile.message(other, { prev_events: Array.from({ length: 20 }, () => unknown(made++)) });
    expect(await hostile.tell(server, event)).toBeUndefined();
    await expect.poll(() => hostile.countCalls('/state_ids/')).toBeGreaterThan(0);
    const said = await alice.say(other.roomId, 'meanwhile');
    expect(await isShown(said, other)).toBe(true);
    // It ends: nothing more is asked for after a while.
    let asked = -1;
    await expect
      .poll(
        () => {
          const before = asked;
          asked = hostile.calls.length;
          return asked === before;
        },
        { interval: 3000 },
      )
      .toBe(true);
    expect(hostile.countCalls('get_missing_events')).toBeLessThan(50);
    expect(hostile.calls.length).toBeLessThan(1000);
    expect(await isShown(event.id, other)).toBe(false);
  });

  it('is waited for no longer than it may take, where it comes byte by byte; others are not held up', async () => {
    const other = await shared();
    let dripping = 0;
    // In this room: what waits in others is asked for in between.
    const local = other.roomId.slice(1).split(':')[0]!;
    hostile.on(`/_matrix/federation/v1/get_missing_events/.*${local}.*`, (_, response) => {
      dripping++;
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 100);
      response.on('close', () => {
        clearInterval(timer);
        dripping--;
      });
      return undefined;
    });
    const waiting = hostile.message(other, { prev_events: [`$${'s'.repeat(43)}`] });
    expect(await hostile.tell(server, waiting)).toBeUndefined();
    await expect.poll(() => dripping).toBeGreaterThan(0);
    const said = [await alice.say(other.roomId, 'same room'), await alice.say(room.roomId, 'other room')];
    const event = hostile.message(room, { content: { body: 'meanwhile' }, prev_events: [said[1]] });
    expect(await hostile.tell(server, event)).toBeUndefined();
    const inSame = hostile.message(other, { prev_events: [said[0]] });
    expect(await hostile.tell(server, inSame)).toBeUndefined();
    expect([await isShown(event.id), await isShown(inSame.id, other)]).toEqual([true, true]);
    expect(dripping).toBeGreaterThan(0);
    await expect.poll(() => dripping).toBe(0);
  });
});

describe('the logs and the rooms afterwards', () => {
  it('hold, and have nothing of what was refused', async () => {
    await server.end();
    expect(await annals(server, 'verify')).toMatchObject({ code: 0 });
    for (const roomId of rooms) {
      const { code, output } = await annals(server, 'audit', roomId, '--json');
      expect(code).toBe(0);
      // That they were refused is told; nothing else.
      const kept = output.split('\n').filter((line) => !line.includes('"fact":"refused"'));
      expect([...never].filter((id) => kept.some((line) => line.includes(id)))).toEqual([]);
    }
    await server.start();
  });
});
