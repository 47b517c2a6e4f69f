import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from '#testing/free-port';
import { type Answer, type Client, Homeserver, requestAt } from './support/homeserver.js';
import { NODE_22 } from './support/node-22.js';
import { RecordingProxy } from './support/recording-proxy.js';

const PROGRAM = fileURLToPath(new URL('./clients/bridge.cjs', import.meta.url));
/** A folder with matrix-appservice-bridge in its node_modules: `.ci/clients.sh bridge` makes one. */
const FOLDER = process.env['CLIENT_BRIDGE'];
const NEEDS = 'where Node is 22 or later and CLIENT_BRIDGE names a folder that has it';

type Event = Answer['body'];

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describe.runIf(NODE_22 && FOLDER !== undefined)(`a bridge of matrix-appservice-bridge (${NEEDS})`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bridge-'));
  let server: Homeserver;
  let proxy: RecordingProxy;
  let port: number;
  let bridge: ChildProcess;
  let complaints = '';
  let alice: Client;
  let echo: string;

  beforeAll(async () => {
    port = await freePort();
    proxy = await RecordingProxy.start(`http://127.0.0.1:${port}`);
    server = await Homeserver.start({ env: { ANNALS_APPSERVICES: writeRegistration() } });
    echo = `@_net_echo:${server.serverName}`;
    await startBridge();
    alice = await server.register('alice');
  });
  afterAll(async () => {
    await endBridge();
    await server.remove();
    proxy.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function writeRegistration(): string {
    const path = join(directory, 'registration.yaml');
    const within = (sigil: string): object[] => [{ exclusive: true, regex: `${sigil}_net_.*:e2e\\.example` }];
    const registration = {
      id: 'net',
      url: proxy.url,
      as_token: 'token-of-the-bridge',
      hs_token: 'token-of-the-server',
      sender_localpart: '_net_bot',
      rate_limited: false,
      protocols: ['net'],
      'de.sorunome.msc2409.push_ephemeral': true,
      namespaces: { users: within('@'), aliases: within('#'), rooms: [] },
    };
    writeFileSync(path, JSON.stringify(registration));
    return path;
  }

  async function startBridge(): Promise<void> {
    const program = [PROGRAM, FOLDER ?? '', server.base, `${port}`, join(directory, 'registration.yaml')];
    bridge = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'pipe'] });
    bridge.stderr!.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    for await (const line of createInterface({ input: bridge.stdout! })) if (line === 'listening') return;
    throw new Error(`the bridge did not start:\n${complaints}`);
  }

  async function endBridge(): Promise<void> {
    const ended = new Promise((resolve) => bridge.once('exit', resolve));
    if (bridge.exitCode !== null || !bridge.kill('SIGKILL')) return;
    await ended;
  }

  const roomPath = (roomId: string, rest: string): string => `/rooms/${encodeURIComponent(roomId)}/${rest}`;
  const wait = <T>(look: () => Promise<T>): Promise<T> => vi.waitFor(look, { timeout: 60_000, interval: 50 });

  /** All events of a room that somebody who is in it may read, oldest first. */
  async function read(roomId: string): Promise<Event[]> {
    const events: Event[] = [];
    for (let from = ''; ;) {
      const page = await alice.ok('GET', roomPath(roomId, `messages?dir=f&limit=1000${from && `&from=${from}`}`));
      events.push(...page.chunk);
      if (page.end === undefined || page.chunk.length === 0) return events;
      from = page.end;
    }
  }
  const heard = (roomId: string, body: string): Promise<Event> =>
    wait(async () => {
      const event = (await read(roomId)).find(
        ({ sender, content }) => sender === echo && content.body === `heard: ${body}`,
      );
      if (event === undefined) throw new Error(`the echo has not heard ${body}:\n${complaints}`);
      return event;
    });
  const joins = (roomId: string, userId: string): Promise<void> =>
    wait(async () => {
      const { joined } = await alice.ok('GET', roomPath(roomId, 'joined_members'));
      expect(Object.keys(joined)).toContain(userId);
    });

  /** A room in which the echo is. */
  async function roomWithEcho(): Promise<string> {
    const roomId = await alice.createRoom({ preset: 'private_chat', invite: [echo] });
    await joins(roomId, echo);
    return roomId;
  }

  test('has its ghosts come where they are invited, and speaks both ways, with edits and redactions', async () => {
    const room = await roomWithEcho();
    expect((await alice.ok('GET', `/profile/${echo}`)).displayname).toBe('The echo');
    const said = await alice.send(room, 'hello');
    const answer = await heard(room, 'hello');
    const edit = { msgtype: 'm.text', body: 'hello there' };
    await alice.ok('POST', roomPath(room, 'send/m.room.message'), {
      ...edit,
      'm.new_content': edit,
      'm.relates_to': { rel_type: 'm.replace', event_id: said },
    });
    await heard(room, 'hello there');
    const shown = await alice.ok('GET', roomPath(room, `event/${answer.event_id}`));
    expect(shown.unsigned['m.relations']['m.replace'].content['m.new_content'].body).toBe('heard: hello there');
    await alice.ok('PUT', roomPath(room, `redact/${said}/t`), {});
    await wait(async () =>
      expect((await alice.ok('GET', roomPath(room, `event/${answer.event_id}`))).content).toEqual({}),
    );
    await alice.send(room, '!picture');
    const { content } = await wait(async () => {
      const picture = (await read(room)).find((event) => event.content.msgtype === 'm.image');
      expect(picture).toBeDefined();
      return picture;
    });
    const path = `/_matrix/client/v1/media/download/${content.url.slice('mxc://'.length)}`;
    expect((await alice.request('GET', path)).text).toBe('a picture of the network');
  });

  test('hears who types, reads and goes away, and its ghosts do so too', async () => {
    const room = await roomWithEcho();
    const event = await alice.send(room, 'read this');
    await heard(room, 'read this');
    let since = (await alice.sync()).next_batch as string;
    const seen = { typing: false, read: false, away: false };
    await alice.ok('PUT', roomPath(room, `typing/${alice.userId}`), { typing: true, timeout: 30_000 });
    await alice.ok('POST', roomPath(room, `receipt/m.read/${event}`), {});
    await alice.ok('PUT', `/presence/${alice.userId}/status`, { presence: 'unavailable', status_msg: 'at lunch' });
    await wait(async () => {
      const { next_batch: next, rooms, presence } = await alice.sync({ since, timeout: 100 });
      since = next;
      for (const { type, content } of rooms?.join?.[room]?.ephemeral?.events ?? []) {
        seen.typing ||= type === 'm.typing' && content.user_ids.includes(echo);
        seen.read ||= type === 'm.receipt' && content[event]?.['m.read']?.[echo] !== undefined;
      }
      for (const { sender, content } of presence?.events ?? [])
        seen.away ||= sender === echo && content.status_msg === 'as at lunch';
      expect(seen).toEqual({ typing: true, read: true, away: true });
    });
  });

  test('makes users and rooms that are asked for, and is asked for those of its network', async () => {
    const wanted = `@_net_wanted:${server.serverName}`;
    const room = await alice.createRoom({ invite: [wanted] });
    await joins(room, wanted);
    expect((await alice.ok('GET', `/profile/${wanted}`)).displayname).toBe('Wanted on the network');
    expect((await alice.request('GET', `/profile/@_net_nobody:${server.serverName}`)).status).toBe(404);
    const alias = encodeURIComponent(`#_net_channel:${server.serverName}`);
    const { room_id: channel } = await alice.ok('POST', `/join/${alias}`, {});
    await joins(channel, echo);
    await alice.send(channel, 'in the channel');
    await heard(channel, 'in the channel');
    expect(
      (await alice.request('POST', `/join/${encodeURIComponent(`#_net_none:${server.serverName}`)}`, {})).status,
    ).toBe(404);
    expect(await alice.ok('GET', '/thirdparty/user/net?nick=bob')).toEqual([
      { userid: `@_net_bob:${server.serverName}`, protocol: 'net', fields: { nick: 'bob' } },
    ]);
  });

  test('links a room for who shows by an OpenID token who they are, and follows it into its upgrade', async () => {
    const room = await alice.createRoom({ preset: 'public_chat', room_version: '10' });
    const { access_token: openIdToken } = await alice.ok('POST', `/user/${alice.userId}/openid/request_token`, {});
    const ask = (path: string, body: object, token?: string): Promise<Answer> =>
      requestAt(`http://127.0.0.1:${port}`, 'POST', `/provisioning/v1/${path}`, { body, token });
    const session = await ask('exchange_openid', { matrixServer: server.serverName, openIdToken });
    expect(session.body).toEqual({ token: expect.any(String), userId: alice.userId });
    expect((await ask('link', { room }, session.body.token)).body).toEqual({ by: alice.userId });
    await alice.send(room, 'linked');
    await heard(room, 'linked');
    const { replacement_room: next } = await alice.ok('POST', roomPath(room, 'upgrade'), { new_version: '11' });
    await joins(next, echo);
    await alice.send(next, 'in the next room');
    await heard(next, 'in the next room');
  });

  test('misses nothing and is told nothing under two ids while it and the server are killed', async () => {
    const room = await roomWithEcho();
    const sent: string[] = [];
    const say = async (body: string): Promise<void> => {
      for (let tries = 0; ; tries++) {
        try {
          return void sent.push(await alice.send(room, body, body));
        } catch (error) {
          if (tries === 1_000) throw error;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      }
    };
    const talk = async (name: string): Promise<void> => {
      for (let i = 0; i < 150; i++) await say(`${name}-${i}`);
    };
    const talking = Promise.all(['one', 'two', 'three', 'four'].map(talk));
    for (let i = 0; i < 3; i++) {
      const before = sent.length;
      await wait(async () => expect(sent.length).toBeGreaterThan(Math.min(before + 50, 590)));
      await endBridge();
      await wait(async () => expect(sent.length).toBeGreaterThan(Math.min(before + 80, 595)));
      await server.restart('SIGKILL');
      await startBridge();
    }
    await talking;
    await say('last');
    await heard(room, 'last');
    expect(sent).toHaveLength(601);
    await wait(async () => {
      const events = await read(room);
      const from = events.findIndex(({ state_key: key, content }) => key === echo && content.membership === 'join');
      const taken = new Set(proxy.eventsTaken);
      expect(events.slice(from).filter(({ event_id: id }) => !taken.has(id))).toEqual([]);
    });
    expect(proxy.transactions.some(({ status }) => status === 502)).toBe(true);
    const texts = new Map<string, string>();
    for (const { id, text } of proxy.transactions) expect(texts.get(id) ?? text).toBe((texts.set(id, text), text));
    const told = proxy.eventsTaken;
    expect(told).toHaveLength(new Set(told).size);
  });
});
