import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { type ForeignEvent, ForeignKey, type Json, Raw } from './support/federation/foreign-events.js';
import { HostileServer, type PeerAnswer, type Route, type SharedRoom } from './support/federation/hostile-server.js';
import { Member } from './support/federation/member.js';
import { WITHOUT_PRESENCE } from './support/homeserver.js';

const authority = new TestAuthority();
const others: HostileServer[] = [];
let server: FederatingAnnals;
let hostile: HostileServer;
let alice: Member;
let room: SharedRoom;

async function another(): Promise<HostileServer> {
  const other = await HostileServer.start(authority);
  others.push(other);
  return other;
}

beforeAll(async () => {
  hostile = await another();
  server = await FederatingAnnals.begin(authority, WITHOUT_PRESENCE);
  alice = await Member.at(server, 'alice');
  room = await hostile.join(server, await alice.create('10'), 'mallory');
});
afterEach(async () => {
  // Whatever came, its own users are served.
  await alice.say(room.roomId, 'still here');
});
afterAll(async () => {
  for (const other of others) await other.stop();
  await server.remove();
});

const at = (path: string, ...ids: readonly string[]): string =>
  ['/_matrix/federation', path, ...ids.map(encodeURIComponent)].join('/');

describe('a handshake', () => {
  it('is begun for users of the server that asks alone', async () => {
    for (const user of [alice.id, '@eve:elsewhere.example', 'nobody', `@eve:${hostile.name}x`]) {
      for (const kind of ['make_join', 'make_leave', 'make_knock']) {
        const { status } = await hostile.ask(server, 'GET', `${at(`v1/${kind}`, room.roomId, user)}?ver=10`);
        expect([kind, user, status >= 400 && status < 500]).toEqual([kind, user, true]);
      }
    }
  });

  it('ends with the event that it was begun for alone', async () => {
    const eve = `@eve:${hostile.name}`;
    const { body } = await hostile.ask(server, 'GET', `${at('v1/make_join', room.roomId, eve)}?ver=10`);
    const before = await alice.state(room.roomId);
    const send = async (event: ForeignEvent, eventId = event.id): Promise<void> => {
      const { status } = await hostile.ask(server, 'PUT', at('v2/send_join', room.roomId, eventId), event.pdu);
      expect([event.pdu, status >= 400 && status < 500]).toEqual([event.pdu, true]);
    };
    const told = body.event as Json;
    const changes: Json[] = [
      { sender: alice.id, state_key: alice.id },
      { state_key: alice.id },
      { content: { membership: 'ban' } },
      { content: { membership: 'leave' } },
      { type: 'm.room.power_levels', state_key: '', content: { users: { [eve]: 100 } } },
      { room_id: '!other:elsewhere.example' },
      { auth_events: [] },
      { depth: -7 },
    ];
    for (const change of changes) await send(hostile.seal({ ...told, ...change }));
    const good = hostile.seal(told);
    await send(good, `$${'x'.repeat(43)}`);
    await send({ ...good, pdu: { ...good.pdu, signatures: {} } });
    await send({ ...good, pdu: { ...good.pdu, hashes: { sha256: 'x'.repeat(43) } } });
    expect(await alice.state(room.roomId)).toEqual(before);
  });

  it('is for what the other server has signed, and of the form of its room', async () => {
    const guest = `@guest:${hostile.name}`;
    const codeOf = ({ status, body }: PeerAnswer): unknown => [status, body.errcode];
    const signed = { [hostile.name]: { [hostile.key.id]: 'a'.repeat(86) } };
    hostile.on('/_matrix/federation/v2/invite/.*', ({ body }) => ({ event: { ...body.event, signatures: signed } }));
    const invited = await alice.create('10', { preset: 'private_chat', invite: [guest] });
    for (const [kind, roomId] of [
      ['join', room.roomId],
      ['leave', invited],
    ] as const) {
      const { body } = await hostile.ask(server, 'GET', `${at(`v1/make_${kind}`, roomId, guest)}?ver=10`);
      const send = async (pdu: Json, id: string, v = 'v2'): Promise<unknown> =>
        codeOf(await hostile.ask(server, 'PUT', at(`${v}/send_${kind}`, roomId, id), pdu));
      const good = hostile.seal({ ...body.event, origin_server_ts: Date.now() });
      const { hashes: _, ...unhashed } = good.pdu;
      const stranger = { [hostile.name]: { 'ed25519:unknown': 'a'.repeat(86) } };
      for (const v of ['v1', 'v2']) {
        expect(await send({ ...unhashed, signatures: {} }, good.id, v)).toEqual([403, 'M_FORBIDDEN']);
        expect(await send({ ...unhashed, signatures: signed }, good.id, v)).toEqual([403, 'M_FORBIDDEN']);
        for (const signatures of [{}, signed, stranger, { [server.name]: signed[hostile.name] }]) {
          expect(await send({ ...good.pdu, signatures }, good.id, v)).toEqual([403, 'M_FORBIDDEN']);
        }
      }
      const unfit = hostile.seal({ ...body.event, origin_server_ts: Date.now(), bad: new Raw('1.1') });
      expect(await send(unfit.pdu, 'xxx')).toEqual([400, 'M_BAD_JSON']);
      expect(await send(good.pdu, 'xxx')).toEqual([400, 'M_INVALID_PARAM']);
    }
  });

  it('that comes again tells nothing of a room that takes no knocks any more', async () => {
    const knocker = `@knocker:${hostile.name}`;
    const rule = (join_rule: string): Json => ({ type: 'm.room.join_rules', state_key: '', content: { join_rule } });
    const roomId = await alice.create('10', { preset: 'private_chat', initial_state: [rule('knock')], name: 'first' });
    const { body } = await hostile.ask(server, 'GET', `${at('v1/make_knock', roomId, knocker)}?ver=10`);
    const { id, pdu } = hostile.seal(body.event);
    const send = (): Promise<PeerAnswer> => hostile.ask(server, 'PUT', at('v1/send_knock', roomId, id), pdu);
    for (let i = 0; i < 2; i++) expect(JSON.stringify((await send()).body.knock_room_state)).toContain('"first"');
    await alice.setState(roomId, 'm.room.join_rules', { join_rule: 'invite' });
    await alice.setState(roomId, 'm.room.name', { name: 'of those inside' });
    await alice.ok('POST', `/rooms/${encodeURIComponent(roomId)}/ban`, { user_id: knocker });
    await expect.poll(async () => (await send()).status).toBe(403);
    expect(JSON.stringify((await send()).body)).not.toContain('inside');
  });

  it('is signed by the server of the invited as it is, or is none', async () => {
    const roomId = await alice.create('10');
    const signatures = { [hostile.name]: { [hostile.key.id]: 'a'.repeat(86) } };
    const invite = async (change: Json): Promise<unknown> => {
      hostile.on('/_matrix/federation/v2/invite/.*', ({ body }) => ({
        event: { ...body.event, signatures, ...change },
      }));
      const content = { user_id: `@guest:${hostile.name}` };
      const { status, body } = await alice.request('POST', `/rooms/${encodeURIComponent(roomId)}/invite`, content);
      return [status, body.errcode];
    };
    expect(await invite({ bad: new Raw('1.1') })).toEqual([400, 'M_BAD_JSON']);
    expect(await invite({ depth: 7_000 })).toEqual([502, 'M_UNKNOWN']);
    expect(await invite({ signatures: {} })).toEqual([502, 'M_UNKNOWN']);
    expect(await invite({ unsigned: { anything: 1.5 } })).toEqual([200, undefined]);
  });

  it('is taken for users of a room that is here, whoever they are, unless its access list keeps the server out', async () => {
    const shared = await hostile.join(server, await alice.create('10'), 'mallory');
    const invite = async (invited: string): Promise<number> => {
      const content = { membership: 'invite' };
      const { id, pdu } = hostile.message(shared, { type: 'm.room.member', state_key: invited, content });
      const told = { event: pdu, room_version: '10', invite_room_state: [] };
      return (await hostile.ask(server, 'PUT', at('v2/invite', shared.roomId, id), told)).status;
    };
    expect(await invite(`@nobody:${server.name}`)).toBe(200);
    expect(await invite(alice.id)).toBe(403); // who is in it
    await alice.setState(shared.roomId, 'm.room.server_acl', { allow: ['*'], deny: [hostile.name.split(':')[0]] });
    expect(await invite(`@nobody:${server.name}`)).toBe(403);
  });

  it('says of nobody whether they are in a room that the server is not in', async () => {
    const bob = await Member.at(server, 'bob');
    const roomId = await alice.create('10', { preset: 'private_chat' });
    const answers: number[] = [];
    for (const invited of [alice.id, bob.id, `@nobody:${server.name}`]) {
      const event = { type: 'm.room.member', room_id: roomId, state_key: invited, content: { membership: 'invite' } };
      const { id, pdu } = hostile.message(room, event);
      const told = { event: pdu, room_version: '10', invite_room_state: [] };
      answers.push((await hostile.ask(server, 'PUT', at('v2/invite', roomId, id), told)).status);
    }
    expect(answers).toEqual([200, 200, 200]);
    expect(await alice.stateOf(roomId, 'm.room.member', alice.id)).toMatchObject({ membership: 'join' });
  });

  it('invites for a third-party identifier users of the server that asks alone, and nobody who is in the room', async () => {
    const signatures = { [hostile.name]: { [hostile.key.id]: 'a'.repeat(86) } };
    hostile.on('/_matrix/federation/v2/invite/.*', ({ body }) => ({ event: { ...body.event, signatures } }));
    const identity = new ForeignKey('ed25519:0');
    // Without an address at which it is asked whether the key still holds, nobody has to be there for it.
    const offer = { display_name: 'g...', public_key: identity.publicKey };
    await alice.setState(room.roomId, 'm.room.third_party_invite', offer, 'token');
    const exchange = async (mxid: string): Promise<number> => {
      const signed = identity.sign({ mxid, token: 'token' }, 'id.example');
      const content = { membership: 'invite', third_party_invite: { display_name: 'g...', signed } };
      const event = { type: 'm.room.member', room_id: room.roomId, sender: alice.id, state_key: mxid, content };
      const path = at('v1/exchange_third_party_invite', room.roomId);
      return (await hostile.ask(server, 'PUT', path, event)).status;
    };
    const membership = async (mxid: string): Promise<string | undefined> => {
      const path = `/rooms/${encodeURIComponent(room.roomId)}/state/m.room.member/${encodeURIComponent(mxid)}`;
      return (await alice.request('GET', path)).body.membership;
    };
    const guest = `@guest:${hostile.name}`;
    expect([await exchange(guest), await membership(guest)]).toEqual([200, 'invite']);
    expect([await exchange(room.user), await membership(room.user)]).toEqual([403, 'join']);
    expect([await exchange(alice.id), await membership(alice.id)]).toEqual([403, 'join']);
    const nobody = `@nobody:${server.name}`;
    expect([await exchange(nobody), await membership(nobody)]).toEqual([403, undefined]);
  });

  it('invites nobody who is not here, and by nobody of another server', async () => {
    const invite = (invited: string, more: Json = {}): ForeignEvent =>
      hostile.seal({
        type: 'm.room.member',
        room_id: `!theirs:${hostile.name}`,
        sender: `@mallory:${hostile.name}`,
        state_key: invited,
        content: { membership: 'invite' },
        depth: 5,
        prev_events: [`$${'p'.repeat(43)}`],
        auth_events: [],
        ...more,
      });
    const send = async ({ id, pdu }: ForeignEvent, version = '10', state: unknown = []): Promise<number> => {
      const content = { event: pdu, room_version: version, invite_room_state: state };
      const path = at('v2/invite', String(pdu['room_id']), id);
      return (await hostile.ask(server, 'PUT', path, content)).status;
    };
    const good = invite(alice.id);
    const refused = [
      await send(invite(`@nobody:${server.name}`)),
      await send(invite('@alice:elsewhere.example')),
      await send(invite(`@mallory:${hostile.name}`)),
      await send(invite(alice.id, { sender: '@eve:elsewhere.example' })),
      await send(invite(alice.id, { sender: alice.id })),
      await send(invite(alice.id, { content: { membership: 'join' } })),
      await send(invite(alice.id, { type: 'm.room.topic' })),
      await send({ ...good, pdu: { ...good.pdu, signatures: {} } }),
      await send(good, '99'),
      await send({ ...good, id: `$${'i'.repeat(43)}` }),
    ];
    expect(refused.filter((status) => status < 400 || status >= 500)).toEqual([]);
    expect((await alice.ok('GET', '/sync')).rooms?.invite ?? {}).toEqual({});
    const lies = [7, 'x', {}, [7, null, { type: 7 }, { type: 'm.room.name', state_key: '', content: 7 }]];
    for (const lie of lies) expect(await send(invite(alice.id, { depth: lies.indexOf(lie) }), '10', lie)).toBe(200);
    const { invite: invites } = (await alice.ok('GET', '/sync')).rooms;
    expect(Object.keys(invites)).toEqual([`!theirs:${hostile.name}`]);
    await alice.leave(`!theirs:${hostile.name}`);
  });
});

/** A room of another server, as it tells it to who joins. */
function roomAt(other: HostileServer, localpart: string) {
  const roomId = `!${localpart}:${other.name}`;
  const sender = `@mallory:${other.name}`;
  const event = (type: string, content: Json, authEvents: readonly ForeignEvent[], more: Json = {}): ForeignEvent =>
    other.seal({
      type,
      room_id: roomId,
      sender,
      state_key: '',
      content,
      depth: authEvents.length + 1,
      prev_events: authEvents.slice(-1).map(({ id }) => id),
      auth_events: authEvents.map(({ id }) => id),
      ...more,
    });
  const create = event('m.room.create', { creator: sender, room_version: '10' }, []);
  const member = event('m.room.member', { membership: 'join' }, [create], { state_key: sender });
  const levels = event('m.room.power_levels', { users: { [sender]: 100 } }, [create, member]);
  const rules = event('m.room.join_rules', { join_rule: 'public' }, [create, member, levels]);
  return { roomId, event, create, member, levels, rules, state: [create, member, levels, rules] };
}

describe('a server that lies about a room', () => {
  /** Lets Alice join a room of it; answers with which status that ended. */
  async function join(
    theirs: ReturnType<typeof roomAt>,
    told: { version?: string; event?: Json; state?: readonly unknown[]; chain?: readonly unknown[]; send?: Route } = {},
  ): Promise<number> {
    const { create, levels, rules } = theirs;
    const auth = [create, levels, rules];
    const event = {
      type: 'm.room.member',
      room_id: theirs.roomId,
      sender: alice.id,
      state_key: alice.id,
      content: { membership: 'join' },
      depth: 5,
      prev_events: [rules.id],
      auth_events: auth.map(({ id }) => id),
      ...told.event,
    };
    const pdus = theirs.state.map(({ pdu }) => pdu);
    const { version = '10', state = pdus, chain = pdus } = told;
    hostile.on('/_matrix/federation/v1/make_join/.*', () => ({ room_version: version, event }));
    hostile.on('/_matrix/federation/v2/send_join/.*', told.send ?? (() => ({ state, auth_chain: chain })));
    const path = `/join/${encodeURIComponent(theirs.roomId)}?via=${hostile.name}&server_name=${hostile.name}`;
    return (await alice.request('POST', path, {})).status;
  }

  const isIn = async (roomId: string): Promise<boolean> =>
    (await alice.ok('GET', '/joined_rooms')).joined_rooms.includes(roomId);

  it('is believed where it does not', async () => {
    const theirs = roomAt(hostile, 'honest');
    expect([await join(theirs), await isIn(theirs.roomId)]).toEqual([200, true]);
    expect(Object.values(await alice.state(theirs.roomId))).toEqual(
      expect.arrayContaining(theirs.state.map(({ id }) => id)),
    );
  });

  it('is not joined through, and nothing of the room is here then', async () => {
    const pdusOf = (events: readonly ForeignEvent[]): Json[] => events.map(({ pdu }) => pdu);
    // More than an array can have, in a few hundred KB.
    const bomb = gzipSync(Buffer.from(`{"auth_chain":[],"state":[${'1,'.repeat(70_000_000)}1]}`));
    const lies: Record<string, (theirs: ReturnType<typeof roomAt>) => Parameters<typeof join>[1]> = {
      'no create event': ({ member, levels, rules }) => {
        const some = pdusOf([member, levels, rules]);
        return { state: some, chain: some };
      },
      'rules that are not signed': ({ create, member, levels, rules }) => {
        const some = [...pdusOf([create, member, levels]), { ...rules.pdu, signatures: {} }];
        return { state: some, chain: some };
      },
      'rules that let nobody in': ({ event, create, member, levels }) => {
        const rules = event('m.room.join_rules', { join_rule: 'invite' }, [create, member, levels]);
        const some = pdusOf([create, member, levels, rules]);
        return { state: some, chain: some, event: { auth_events: [create.id, levels.id, rules.id] } };
      },
      'the events of another room': () => {
        const some = pdusOf(roomAt(hostile, 'elsewhere').state);
        return { state: some, chain: some };
      },
      'another version': () => ({ version: '11' }),
      'a version that there is not': () => ({ version: '99' }),
      'no events': () => ({ state: [], chain: [] }),
      'values that are no events': () => ({ state: [1, 'x', null, [], {}], chain: [new Raw('{"a":1.5}')] }),
      'another event to sign': () => ({ event: { type: 'm.room.power_levels', state_key: '' } }),
      'the event of another user': () => ({ event: { sender: '@bob:elsewhere.example' } }),
      'an event of another room to sign': () => ({ event: { room_id: room.roomId } }),
      'far too many values': () => ({
        send: (_, response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb);
          return undefined;
        },
      }),
      'an answer that breaks off': () => ({
        send: (_, response) => {
          response.writeHead(200, { 'content-length': '1000' }).write('{"state":[');
          setTimeout(() => response.destroy(), 50);
          return undefined;
        },
      }),
      'text that is no JSON': () => ({ send: () => '<html>' }),
    };
    for (const [lie, tell] of Object.entries(lies)) {
      const theirs = roomAt(hostile, `lie${Object.keys(lies).indexOf(lie)}`);
      const status = await join(theirs, tell(theirs));
      const outcome = [lie, status >= 400 && status !== 500, await isIn(theirs.roomId)];
      expect(outcome).toEqual([lie, true, false]);
    }
    expect(peakOf(server)).toBeLessThan(1_500_000_000);
    for (const lie of [1, 2, 3]) {
      const { output } = await annals(server, 'audit', `!lie${lie}:${hostile.name}`, '--json');
      expect(output).not.toContain('pdu-accepted');
    }
  });
});

/** The most memory that a server had so far, in bytes. */
function peakOf({ pid }: FederatingAnnals): number {
  const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

describe('a server whose keys are not right', () => {
  it('is not believed to be who it says', async () => {
    const lies: ((other: HostileServer) => Json | string)[] = [
      (other) => ({ ...other.keyDocument(), signatures: {} }),
      (other) => ({ ...other.keyDocument(), signatures: hostile.keyDocument()['signatures'] }),
      (other) => other.keyDocument(other.key, { server_name: hostile.name }),
      (other) => other.keyDocument(other.key, { valid_until_ts: 1 }),
      (other) => other.keyDocument(other.key, { more: 'x'.repeat(200_000) }),
      (other) => other.keyDocument(new ForeignKey(), {}),
      () => hostile.keyDocument(),
      () => 'no JSON',
      () => '[]',
    ];
    for (const lie of lies) {
      const other = await another();
      other.keys = () => lie(other);
      const { status } = await other.send(server, []);
      expect([lie.toString(), status]).toEqual([lie.toString(), 401]);
    }
  });

  it('keeps the key that it had under a name', async () => {
    const changed = new ForeignKey(hostile.key.id);
    hostile.keys = () => hostile.keyDocument(changed);
    const { pdu } = hostile.message(room);
    const event = changed.seal({ ...pdu, hashes: undefined, signatures: undefined }, hostile.name);
    expect(await hostile.tell(server, event)).toEqual(expect.any(String));
    expect(await hostile.tell(server, hostile.message(room))).toBeUndefined();
  });

  it('cannot send this server elsewhere', async () => {
    const [other, victim] = [await another(), await another()];
    const elsewhere: Route = (_, response) => {
      response.writeHead(307, { location: `https://${victim.name}/_matrix/key/v2/server` }).end();
      return undefined;
    };
    other.on('/.*', elsewhere);
    expect((await other.send(server, [])).status).toBe(401);
    const path = `/join/${encodeURIComponent('!room:elsewhere.example')}?via=${other.name}&server_name=${other.name}`;
    expect((await alice.request('POST', path, {})).status).toBeGreaterThanOrEqual(400);
    expect(other.calls.length).toBeGreaterThan(0);
    expect(victim.calls).toEqual([]);
  });
});

describe('what another server asks for', () => {
  it('is answered within bounds, and not of rooms that it is not in', async () => {
    const closed = await alice.create('10', { preset: 'private_chat' });
    const said = await alice.say(closed, 'secret');
    for (let i = 0; i < 30; i++) await alice.say(room.roomId, `${i}`);
    const ask = (path: string) => hostile.ask(server, 'GET', path);
    const refused = [
      await ask(at('v1/event', said)),
      await ask(`${at('v1/state_ids', closed)}?event_id=${encodeURIComponent(said)}`),
      await ask(`${at('v1/state', closed)}?event_id=${encodeURIComponent(said)}`),
      await ask(`${at('v1/backfill', closed)}?v=${encodeURIComponent(said)}&limit=10`),
      await ask(at('v1/event_auth', closed, said)),
      await ask(`${at('v1/make_join', closed, room.user)}?ver=10`),
      // An event of a room that it is not in, by a room that it is in.
      await ask(`${at('v1/state_ids', room.roomId)}?event_id=${encodeURIComponent(said)}`),
      await ask(at('v1/event_auth', room.roomId, said)),
    ];
    for (const { status, body } of refused)
      expect([status, JSON.stringify(body)]).toEqual([expect.closeTo(403, -1), expect.not.stringContaining('secret')]);
    const last = await alice.say(room.roomId, 'last');
    const missing = await hostile.ask(server, 'POST', at('v1/get_missing_events', room.roomId), {
      latest_events: [last, said, ...Array.from({ length: 10_000 }, (_, i) => `$${i}`)],
      earliest_events: [],
      limit: 1_000_000_000,
    });
    if (missing.status === 200) expect(missing.body.events.length).toBeLessThanOrEqual(100);
    const page = await ask(`${at('v1/backfill', room.roomId)}?v=${encodeURIComponent(last)}&limit=1000000000`);
    expect([page.status, page.body.pdus.length <= 100]).toEqual([200, true]);
    expect(JSON.stringify([missing.body, page.body])).not.toContain('secret');
  });
});

describe('a server that is at a private address', () => {
  it('is not connected to where the operator does not allow that', async () => {
    const strict = await FederatingAnnals.begin(authority, {
      ...WITHOUT_PRESENCE,
      ANNALS_FEDERATION_ALLOW_PRIVATE: 'false',
    });
    try {
      const other = await another();
      const carol = await Member.at(strict, 'carol');
      const path = `/join/${encodeURIComponent(`!room:${other.name}`)}?via=${other.name}&server_name=${other.name}`;
      expect((await carol.request('POST', path, {})).status).toBe(502);
      expect((await other.send(strict, [])).status).toBe(401);
      expect(other.calls).toEqual([]);
    } finally {
      await strict.remove();
    }
  });
});

it('the log holds afterwards', async () => {
  await server.end();
  expect(await annals(server, 'verify')).toMatchObject({ code: 0 });
  await server.start();
});
