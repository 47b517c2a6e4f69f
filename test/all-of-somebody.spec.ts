import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { liveHere, UNSTABLE } from '#testing/live-here';
import { TestAuthority } from '#testing/test-authority';
import { annals } from './support/annals.js';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { readFiles } from './support/files-with.js';
import { Client, passwordOf } from './support/homeserver.js';
import { openAt, startIdentity } from './support/identity.js';
import { describeEmbedded } from './support/stores.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

const ADMIN = '/_synapse/admin';
const LOGIN = '/_matrix/client/v3/login';
const DEHYDRATED = `${UNSTABLE}/org.matrix.msc3814.v1/dehydrated_device`;

/** What differs by when it is asked for, or who is there by then. */
const PASSING = new Set(
  `age age_ts next_batch prev_batch start end last_active_ago currently_active presence
  last_seen_ts last_seen_ip last_seen_user_agent`.split(/\s+/),
);

/** The same in an export: when and from where devices came last, and how it stands with a push gateway that is none. */
const LAST_SEEN =
  /"last_seen[^,}]*,?|<dt><bdi>last seen[^]*?<\/dd>\n?|"(alone|behind)":true,?|<dt><bdi>(alone|behind)[^]*?<\/dd>\n?/g;

/** What is in no file even before, and why. */
const NOT_THERE: Readonly<Record<string, string>> = {
  'what was redacted': 'it went with the redaction',
  contacts: 'another card took its place',
  'name of a client': 'it is in memory alone',
  'name of a list': 'it is one connection’s, in memory',
  'invitations-by-address': 'of the address there is a hash alone',
};

/** What is still in a file once its writer is erased, by what it is, and why. */
const STAYS: Readonly<Record<string, string>> = {
  aliases: 'it leads others to a room; administrators may delete it',
  reports: 'it is open: an operator may need it, and closes it',
  'cross-signing-keys': 'it is public, and says nothing but what was signed with it',
  'rules of a room': 'state that rules of rooms read: without it the room would be another one for all others',
  'what others wrote': 'it is theirs, whomever they quote',
  'key-backup-versions': 'it is the public half of a key, and says nothing but what was signed with it',
  'type of account data': 'it says what kind of thing there was, as types of events do',
  'id of a device': 'made up by a client, and by it alone whoever did something is told apart',
  'id of a transaction': 'made up by a client, so that what is sent twice is there once',
  'to a device of others': 'that has not collected it yet: it goes once it has',
};

/** Fourteen letters that stand in no other text, nor four of them in a row. */
const LETTERS = 'bcdfghjklmnpqrstvwxz';
const wordFor = (kind: string): string =>
  [...hash('sha256', `what is marked: ${kind}`, 'buffer').subarray(0, 14)]
    .map((byte) => LETTERS[byte % LETTERS.length])
    .join('');

/** The log keeps what it has not seen before as it is, in pieces of 128 bytes: where one ends within a word, half of that is whole. */
const halvesOf = (word: string): string[] => [word.slice(0, 7), word.slice(7)];

// Servers and commands are started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describeEmbedded(
  'somebody of whom there is everything',
  'bytes that are erased go from a server by its own means',
  () => {
    let mails: MailServer;
    let server: FederatingAnnals;
    let alice: Client;
    let bob: Client;
    let root: Client;
    let roomId: string;
    const words = new Map<string, string>();
    const directory = mkdtempSync(join(tmpdir(), 'annals-all-'));
    let exports = 0;

    /** Has what is written be a word by which it is found again. */
    const mark = (kind: string): string => {
      words.set(kind, wordFor(kind));
      return wordFor(kind);
    };
    const inRoom = (path: string): string => `/rooms/${encodeURIComponent(roomId)}${path}`;

    beforeAll(async () => {
      mails = await startMailServer();
      server = await startIdentity(new TestAuthority(), mails);
      [alice, bob] = [await server.register('alice'), await server.register('bob')];
      const { output } = await annals(server, 'users', 'create', 'root', '--admin', '--generate-password');
      const identifier = { type: 'm.id.user', user: 'root' };
      const login = { type: 'm.login.password', identifier, password: /\): (\S+)/.exec(output)![1] };
      const { user_id, access_token, device_id } = (await server.request('POST', LOGIN, { body: login })).body;
      root = new Client(server, user_id, access_token, device_id);
      await live();
    });
    afterAll(async () => {
      await server.remove();
      await mails.close();
      rmSync(directory, { recursive: true, force: true });
    });

    async function askAs(
      token: string | undefined,
      method: string,
      path: string,
      body?: object | string,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Body> {
      const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const sent = typeof body === 'object' ? JSON.stringify(body) : body;
      const answer = await fetch(server.base + path, {
        method,
        headers: { ...authorization, ...headers },
        body: sent,
      });
      return { status: answer.status, body: await answer.json() };
    }

    async function live(): Promise<void> {
      const users: Readonly<Record<string, Client>> = { [alice.token]: alice, [bob.token]: bob };
      const account = `${ADMIN}/v2/users/${alice.userId}`;
      roomId = await liveHere({
        userId: alice.userId,
        friend: bob,
        mark,
        call: (method, path, body, token = alice.token) => users[token]!.ok(method as 'GET', path, body),
        upload: async (filename, content) => {
          const path = `/_matrix/media/v3/upload?filename=${encodeURIComponent(filename)}`;
          const { status } = await askAs(alice.token, 'POST', path, content, { 'content-type': 'text/plain' });
          expect(status).toBe(200);
        },
        addAddress: async (address) =>
          void (await root.ok('PUT', account, { threepids: [{ medium: 'email', address }] })),
        link: async (external_id) =>
          void (await root.ok('PUT', account, { external_ids: [{ auth_provider: 'work', external_id }] })),
      });
      await keepMore();
      await saySomethingElse();
      await haveDevices();
      await beFound();
    }

    async function keepMore(): Promise<void> {
      const { userId } = alice;
      const field = 'org.example.field';
      await alice.ok('PUT', `/profile/${userId}/${field}`, { [field]: mark('field of a profile') });
      const group = [`group:${mark('name of a group')}`];
      await alice.ok('PUT', `${UNSTABLE}/dev.annals.profile/${userId}/${field}/readers`, { readers: group });
      await alice.ok('PUT', `/user/${userId}/account_data/org.example.${mark('type of account data')}`, { a: 1 });
      await alice.ok('PUT', `/user/${userId}${inRoom('/account_data/org.example.room')}`, {
        a: mark('account data of a room'),
      });
      await alice.ok('PUT', `/user/${userId}${inRoom(`/tags/u.${mark('tag')}`)}`, { note: mark('what a tag says') });
      await alice.ok('POST', `/user/${userId}/filter`, { room: { timeline: { types: [mark('filters')] } } });
      const rule = { actions: ['notify'], pattern: mark('pattern of a push rule') };
      await alice.ok('PUT', `/pushrules/global/content/${mark('push-rules')}`, rule);
      // What was there before goes as well.
      await alice.ok('PUT', `/profile/${userId}/displayname`, { displayname: mark('another name') });
      await alice.ok('PUT', `/user/${userId}/account_data/org.example.secret`, { only: mark('other account data') });
      await alice.ok('PUT', `${UNSTABLE}/dev.annals.contacts/cards/bob`, { name: 'Bob', note: mark('other note') });
      const list = { ranges: [[0, 9]], timeline_limit: 1, required_state: [] };
      await alice.ok('POST', `${UNSTABLE}/org.matrix.simplified_msc3575/sync`, {
        conn_id: mark('name of a connection'),
        lists: { [mark('name of a list')]: list },
      });
    }

    async function saySomethingElse(): Promise<void> {
      const send = (type: string, txn: string, content: object): Promise<Body> =>
        alice.ok('PUT', inRoom(`/send/${type}/${txn}`), content);
      const { event_id: said } = await send('m.room.message', mark('id of a transaction'), {
        msgtype: 'm.text',
        body: 'x',
      });
      await send('m.room.message', 'e1', {
        msgtype: 'm.text',
        body: '*',
        'm.new_content': { msgtype: 'm.text', body: mark('an edit') },
        'm.relates_to': { rel_type: 'm.replace', event_id: said },
      });
      const annotation = { rel_type: 'm.annotation', event_id: said, key: mark('a reaction') };
      await send('m.reaction', 'e2', { 'm.relates_to': annotation });
      await alice.ok('PUT', inRoom('/state/m.room.topic/'), { topic: mark('a topic') });
      await alice.ok('PUT', inRoom('/state/m.room.topic/'), { topic: mark('another topic') });
      await alice.ok('PUT', inRoom(`/state/org.example.state/${alice.userId}`), { a: mark('state about somebody') });
      const levels = await alice.ok('GET', inRoom('/state/m.room.power_levels/'));
      const events = { ...levels.events, [mark('rules of a room')]: 50 };
      await alice.ok('PUT', inRoom('/state/m.room.power_levels/'), { ...levels, events });
      const member = { membership: 'join', displayname: mark('name in a room') };
      await alice.ok('PUT', inRoom(`/state/m.room.member/${alice.userId}`), member);
      const { event_id: wrong } = await send('m.room.message', 'e3', { msgtype: 'm.text', body: 'y' });
      await alice.ok('PUT', inRoom(`/redact/${wrong}/e4`), { reason: mark('reason of a redaction') });
      const carol = await server.register('carol');
      await alice.ok('POST', inRoom('/invite'), { user_id: carol.userId, reason: mark('reason of an invitation') });
      await alice.ok('POST', inRoom('/kick'), { user_id: carol.userId, reason: mark('reason of a kick') });
      await bob.ok('PUT', inRoom('/send/m.room.message/q1'), { msgtype: 'm.text', body: mark('what others wrote') });
      const { room_id: other } = await bob.ok('POST', '/createRoom', { preset: 'public_chat' });
      await alice.ok('POST', `/join/${encodeURIComponent(other)}`, { reason: mark('reason of a join') });
      const last = { msgtype: 'm.text', body: mark('in a room that was left') };
      await alice.ok('PUT', `/rooms/${encodeURIComponent(other)}/send/m.room.message/l1`, last);
      await alice.ok('POST', `/rooms/${encodeURIComponent(other)}/leave`, { reason: mark('reason of a departure') });
    }

    async function haveDevices(): Promise<void> {
      const { device_id: own } = await alice.ok('GET', '/account/whoami');
      await alice.ok('PUT', `/devices/${own}`, { display_name: mark('name of a device') });
      await alice.ok('PUT', `/devices/${own}`, { display_name: mark('another name of a device') });
      const login = {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user: 'alice' },
        password: passwordOf('alice'),
        device_id: mark('id of a device').toUpperCase(),
        initial_device_display_name: mark('devices'),
      };
      const agent = { 'user-agent': mark('name of a client') };
      const loggedIn = await askAs(undefined, 'POST', LOGIN, login, agent);
      expect(loggedIn.status).toBe(200);
      await askAs(loggedIn.body.access_token, 'GET', '/_matrix/client/v3/account/whoami', undefined, agent);
      const { device_id: bobs } = await bob.ok('GET', '/account/whoami');
      const messages = { [bob.userId]: { [bobs]: { a: mark('to a device of others') } } };
      await alice.ok('PUT', '/sendToDevice/org.example.message/1', { messages });
      const id = 'DEHYDRATED';
      await alice.ok('PUT', DEHYDRATED, {
        device_id: id,
        device_data: { algorithm: 'org.matrix.msc3814.v1.olm', device_pickle: mark('dehydrated-device') },
        initial_device_display_name: mark('name of a dehydrated device'),
        device_keys: {
          user_id: alice.userId,
          device_id: id,
          algorithms: ['m.olm.v1.curve25519-aes-sha2'],
          dehydrated: true,
          keys: { [`curve25519:${id}`]: id, [`ed25519:${id}`]: mark('keys of a dehydrated device') },
          signatures: { [alice.userId]: { [`ed25519:${id}`]: 'signature' } },
        },
      });
    }

    /** By mail addresses, at the identity server that this server is; and invites somebody else by theirs. */
    async function beFound(): Promise<void> {
      const her = await openAt(server, mails, alice);
      await her.bind(`${mark('associations')}@example.org`);
      const session = await her.validate(`${mark('identity-servers')}@example.org`);
      await alice.ok('POST', '/account/3pid/bind', { ...session, ...her.at });
      const readers = [`@${mark('found-by')}:elsewhere.example`];
      expect((await her.call('PUT', '/_matrix/identity/unstable/dev.annals.findable', { readers })).status).toBe(200);
      const address = `${mark('invitations-by-address')}@example.org`;
      await alice.ok('POST', inRoom('/invite'), { medium: 'email', address, ...her.at });
    }

    /** What "users export" writes, but for what says when. */
    async function exported(): Promise<Record<string, string>> {
      const folder = join(directory, String(exports++));
      expect((await annals(server, 'users', 'export', 'alice', '--to', folder)).code).toBe(0);
      const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const files = entries.map(({ parentPath, name }) => join(parentPath, name)).toSorted();
      const written = Object.fromEntries(
        files.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8').replaceAll(LAST_SEEN, '')]),
      );
      // How many records there are of each kind, if not in how many bytes; the rest of both is when it was made.
      const kinds = (JSON.parse(written['export.json']!) as Body).kinds.map(({ name, records, files: of }: Body) => [
        name,
        records,
        of,
      ]);
      return { ...written, 'export.json': JSON.stringify(kinds), 'index.html': '' };
    }

    /** What is answered of her, to herself, to her friend and to administrators, in every way. */
    async function answers(): Promise<Record<string, unknown>> {
      const { userId } = alice;
      const { version } = await alice.ok('GET', '/room_keys/version');
      const search = { search_categories: { room_events: { search_term: wordFor('events'), include_state: true } } };
      const hers: [string, string, object?][] = [
        [
          'GET',
          `/sync?filter=${encodeURIComponent(JSON.stringify({ room: { include_leave: true, timeline: { limit: 50 } } }))}`,
        ],
        ['GET', inRoom('/messages?dir=b&limit=500')],
        ['GET', inRoom('/state')],
        ['GET', inRoom('/members')],
        ['GET', inRoom('/joined_members')],
        ['GET', inRoom('/aliases')],
        ['GET', `/user/${userId}/account_data/org.example.secret`],
        ['GET', `/user/${userId}${inRoom('/account_data/org.example.room')}`],
        ['GET', `/user/${userId}${inRoom('/tags')}`],
        ['GET', `/profile/${userId}`],
        ['GET', `/presence/${userId}/status`],
        ['GET', `${UNSTABLE}/dev.annals.presence_list/${userId}`],
        ['GET', `${UNSTABLE}/dev.annals.contacts`],
        ['GET', `${UNSTABLE}/dev.annals.contacts/shared`],
        ['GET', `${UNSTABLE}/dev.annals.user_data/${userId}`],
        ['GET', '/pushrules/'],
        ['GET', '/pushers'],
        ['GET', '/notifications'],
        ['GET', '/devices'],
        ['GET', '/account/3pid'],
        ['GET', '/joined_rooms'],
        ['GET', '/publicRooms'],
        ['GET', '/room_keys/version'],
        ['GET', `/room_keys/keys?version=${version}`],
        ['GET', DEHYDRATED],
        ['GET', `${UNSTABLE}/org.matrix.msc4140/delayed_events`],
        ['POST', '/keys/query', { device_keys: { [userId]: [] } }],
        ['POST', '/search', search],
        ['POST', '/user_directory/search', { search_term: 'alice' }],
      ];
      const ofAdmins = ['', '/joined_rooms', '/memberships', '/pushers'];
      const told: Record<string, unknown> = {};
      const note = async (who: string, user: Client, [method, path, body]: [string, string, object?]) => {
        const { status, body: answer } = await user.request(method, path, body);
        told[`${who}: ${method} ${path}`] = [status, withoutPassing(answer)];
      };
      for (const request of hers) await note('alice', alice, request);
      for (const request of hers) if (request[1].startsWith('/rooms')) await note('bob', bob, request);
      for (const path of ofAdmins)
        await note('root', root, ['GET', `${ADMIN}/${path === '' ? 'v2' : 'v1'}/users/${userId}${path}`]);
      return told;
    }

    /** All views anew from the log: it fails where a row differs from what it replaces. */
    async function replay(): Promise<void> {
      const { code, output } = await annals(server, 'replay');
      expect([code, output.match(/^FAIL.*$/gm)]).toEqual([0, null]);
    }

    async function withoutViews(): Promise<void> {
      await server.end();
      server.removeViews();
      await server.start();
    }

    /** Of what there are words in files of the data folder, byte by byte, in this part of it. */
    function marksIn(folder = ''): string[] {
      const files = readFiles(join(server.directory, folder));
      const texts = Array.from(files.values(), (bytes) => bytes.toString('latin1').toLowerCase());
      const names = Array.from(files.keys(), (path) => basename(path).toLowerCase());
      return [...words]
        .filter(([, word]) => [...names, ...texts].some((text) => halvesOf(word).some((half) => text.includes(half))))
        .map(([kind]) => kind)
        .toSorted();
    }

    test('is handed and told the same once all views were made anew: by a replay, and where there were none', async () => {
      const [before, handed] = [await answers(), await exported()];
      for (const [asked, [status]] of Object.entries(before) as [string, [number]][])
        expect([asked, status]).toEqual([asked, 200]);
      await replay();
      expect(await answers()).toEqual(before);
      expect(await exported()).toEqual(handed);
      await withoutViews();
      expect(await answers()).toEqual(before);
      expect(await exported()).toEqual(handed);
    });

    test('has each of these words in the files of the server, in a form in which it is found', () => {
      const expected = [...words.keys()].filter((kind) => !(kind in NOT_THERE));
      expect(marksIn()).toEqual(expected.toSorted());
    });

    test('is in no file any more once erased, but for what stays on purpose: as soon as it is done, after a replay, and with views that were made anew', async () => {
      const { code, output } = await annals(server, 'users', 'erase', 'alice', '--yes');
      expect([code, output]).toEqual([0, expect.stringContaining(`${alice.userId} is erased`)]);
      const stays = Object.keys(STAYS).toSorted();
      await expect.poll(() => marksIn('log'), { timeout: 20_000 }).toEqual(stays);
      expect(marksIn()).toEqual(stays);
      await replay();
      expect(marksIn()).toEqual(stays);
      await withoutViews();
      expect(marksIn()).toEqual(stays);
      for (const [kind, word] of words)
        if (!(kind in STAYS)) expect([kind, JSON.stringify(await told()).includes(word)]).toEqual([kind, false]);
      await server.end();
      const verified = await annals(server, 'verify');
      expect([verified.code, verified.output]).toEqual([0, verified.output]);
    });

    /** What who was in the room with her still is told. */
    const told = async (): Promise<Body[]> =>
      Promise.all(['/messages?dir=b&limit=500', '/state', '/members'].map((path) => bob.ok('GET', inRoom(path))));
  },
);

function withoutPassing(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (key, value: unknown) => (PASSING.has(key) ? undefined : value)));
}
