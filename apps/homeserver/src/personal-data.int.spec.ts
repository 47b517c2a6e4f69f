import 'reflect-metadata';
import { request } from 'node:http';
import { join } from 'node:path';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { ExternalIds } from '#accounts/external-ids';
import type { UserId } from '#kernel/ids';
import { connectControl } from '#projections/control-client';
import { HOSTILE, liveHere } from '#testing/live-here';
import { readZip } from '#testing/read-zip';
import { FederatedServer, type FederatedUser } from '../test/federated-server.js';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';
import type { ExportedPart } from './export-methods.js';

// The suite looks at what it expects of each answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;
type Files = ReadonlyMap<string, Buffer>;

const V3 = '/_matrix/client/v3';
const DATA = '/_annals/account/data';

/** The records of a kind, of all of its pieces. */
function recordsIn(files: Files, kind: string): Body[] {
  const { kinds } = JSON.parse(files.get('export.json')!.toString()) as Body;
  const { pieces, records } = kinds.find(({ name }: Body) => name === kind);
  const read = pieces.flatMap(({ path }: Body) => JSON.parse(files.get(path)!.toString()).records as Body[]);
  expect(read).toHaveLength(records);
  return read;
}

const textOf = (files: Files): string => [...files.values()].map(String).join('\n');

describe('what people are handed', { timeout: 120_000 }, () => {
  let server: WholeServer;
  let alice: { userId: string; token: string };
  let bob: { userId: string; token: string };
  let admin: string;
  let browser: PageReader;
  let roomId: string;
  let files: Files;

  const call = async (method: string, path: string, body?: object, token = alice.token): Promise<Body> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const { status, text } = await server.request(method, path.startsWith('/_') ? path : V3 + path, { token, ...sent });
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text);
  };
  const signIn = async (user: string, by: PageReader): Promise<Answer> =>
    by.send(await by.get(DATA), '/_annals/sign-in', { username: user, password: 'a password' });
  const download = async (by: PageReader, password = 'a password'): Promise<Answer> =>
    by.send(await by.get(DATA), DATA, { password });

  beforeAll(async () => {
    server = await WholeServer.start({ ANNALS_OAUTH: 'on' });
    admin = await server.registerAdmin();
    [alice, bob] = [await server.register('alice'), await server.register('bob')];
    await live();
    browser = new PageReader(server);
    await signIn('alice', browser);
    files = readZip((await download(browser)).bytes);
  });
  afterAll(() => server.close());

  /** Somebody does all that there is to do here. */
  async function live(): Promise<void> {
    const userId = alice.userId as UserId;
    const upload = async (filename: string, body: string): Promise<void> => {
      const path = `/_matrix/media/v3/upload?filename=${encodeURIComponent(filename)}`;
      const headers = { 'content-type': 'text/plain' };
      const { status } = await server.request('POST', path, { token: alice.token, body, headers });
      expect(status).toBe(200);
    };
    const addAddress = async (address: string): Promise<void> =>
      void (await server.get(CommandBus).execute(new AddThreepid(userId, { medium: 'email', address }, 1, BY_SERVER)));
    const link = async (subject: string): Promise<void> =>
      void (await server.get(ExternalIds).link({ provider: 'work', subject }, userId, BY_SERVER));
    roomId = await liveHere({ userId, friend: bob, call, upload, addAddress, link });
  }

  it('has records of all kinds that there are', () => {
    const { kinds } = JSON.parse(files.get('export.json')!.toString()) as Body;
    const empty = kinds.filter(({ records }: Body) => records === 0).map(({ name }: Body) => name);
    // Those need other servers, an identity server, or devices that sign: they have tests of their own.
    const needed =
      'associations dehydrated-device found-by held-invitations identity-servers identity-terms invitations-by-address memberships-elsewhere more-invitations signatures';
    expect(empty.toSorted()).toEqual(needed.split(' '));
    for (const { pieces, pages, rooms } of kinds)
      for (const path of [...pieces.map((one: Body) => one.path), ...pages, ...rooms.flatMap((one: Body) => one.pages)])
        expect([path, files.has(path)]).toEqual([path, true]);
  });

  it('is all that they wrote as it stands now, and nothing that others did', () => {
    const events = recordsIn(files, 'events');
    expect(new Set(events.map(({ sender }) => sender))).toEqual(new Set([alice.userId]));
    const bodies = events.filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body);
    expect(bodies).toEqual(['hello, this is mine', HOSTILE, undefined]);
    const redacted = events.find(({ unsigned }) => unsigned?.redacted_by !== undefined);
    expect(redacted).toMatchObject({ type: 'm.room.message', content: {}, room_id: roomId });
    expect(events.find(({ type }) => type === 'm.room.encrypted').content.ciphertext).toBe('sealed by Alice');
    expect(textOf(files)).not.toMatch(/said by Bob|never to be seen again|Renamed behind her/);
    const names = recordsIn(files, 'rooms').map(({ name, membership }) => [name, membership]);
    expect(names).toEqual(
      expect.arrayContaining([
        [HOSTILE, 'join'],
        ['A party', 'invite'],
        ['Before', 'leave'],
      ]),
    );
    const left = recordsIn(files, 'rooms').find(({ name }) => name === 'Before');
    expect(left.history).toMatchObject([
      { membership: 'join', by: alice.userId },
      { membership: 'leave', by: alice.userId },
    ]);
  });

  it('is what they keep, and who may read it', () => {
    expect(recordsIn(files, 'profile')).toEqual([
      { field: 'displayname', value: HOSTILE, readers: ['everybody'] },
      { field: 'm.tz', value: 'Europe/London', readers: ['contacts'] },
    ]);
    expect(recordsIn(files, 'account-data')).toContainEqual({ type: 'org.example.secret', content: { only: 'mine' } });
    expect(recordsIn(files, 'access-lists')).toEqual([
      { of: 'user-data', key: 'org.example.secret', readers: ['rooms'] },
    ]);
    expect(recordsIn(files, 'addresses')).toMatchObject([{ medium: 'email', address: 'alice@example.org' }]);
    expect(recordsIn(files, 'accounts-elsewhere')).toEqual([{ provider: 'work', subject: 'alice at work' }]);
    expect(recordsIn(files, 'contacts')).toMatchObject([{ contact_id: 'bob', name: 'Bob', note: HOSTILE }]);
    expect(recordsIn(files, 'presence-list')).toMatchObject([{ user_id: bob.userId, you_follow: 'asked' }]);
    expect(recordsIn(files, 'backed-up-keys')).toMatchObject([
      { version: '1', session_data: { ciphertext: 'sealed' } },
    ]);
    expect(recordsIn(files, 'delayed-events')).toMatchObject([{ delay_ms: 3_600_000, content: { body: 'later' } }]);
    expect(recordsIn(files, 'reports')).toMatchObject([{ kind: 'event', reason: 'rude', is_closed: false }]);
    expect(recordsIn(files, 'aliases')).toMatchObject([{ room_id: roomId }]);
    expect(recordsIn(files, 'account-history').map(({ what }) => what)).toEqual(
      expect.arrayContaining(['account-registered', 'device-added', 'threepid-added', 'external-id-linked']),
    );
  });

  it('has their files, under names that lead nowhere else', () => {
    const [medium] = recordsIn(files, 'media');
    expect(medium.file).toMatch(/^files\/000001-[^/]*holiday\.txt$/);
    expect(files.get(medium.file)?.toString()).toBe('the picture of a holiday');
  });

  it('has no secret', () => {
    const all = textOf(files);
    expect(all).not.toContain(alice.token);
    expect(all).not.toMatch(/\$argon2|token_hash|refresh_hash|password_hash|"browser"/);
  });

  it('runs nothing that anybody wrote', () => {
    for (const [path, content] of files)
      if (path.endsWith('.html'))
        expect([path, /<script|<img|<[^>]* on\w+=/.test(content.toString())]).toEqual([path, false]);
  });

  it('is shown where it is, on the page', async () => {
    const { text } = await browser.get(DATA);
    for (const title of ['Other servers', 'Devices', 'Browsers', 'Identity servers', 'Push gateways'])
      expect(text).toContain(`<h3>${title}</h3>`);
    expect(text).not.toContain('Rooms on other servers');
    expect(text).toContain('https://push.example.org');
    expect(text).not.toContain('<script');
  });

  it('is a file that nobody keeps on the way', async () => {
    const { status, headers, bytes } = await download(browser);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/zip',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
    expect(headers['content-disposition']).toMatch(/^attachment; filename="annals-data-\d{4}-\d\d-\d\d\.zip"$/);
    expect([...readZip(bytes).keys()].at(-1)).toBe('index.html');
  });

  it('is handed to nobody who does not show who they are, with a password and the form of their own browser', async () => {
    const stranger = new PageReader(server);
    expect((await stranger.get(DATA)).text).toContain('Sign in');
    expect((await stranger.post(DATA, { password: 'a password' })).status).toBe(403);
    // A token is for applications, and none of them may take all of it.
    const byToken = await server.request('POST', DATA, { token: alice.token });
    expect(byToken.status).toBe(403);
    const wrong = await download(browser, 'wrong');
    expect([wrong.status, wrong.headers['content-type']]).toEqual([403, 'text/html; charset=utf-8']);
    expect(wrong.text).toContain('This is not your password');
    const other = new PageReader(server);
    await signIn('bob', other);
    const bobs = readZip((await download(other)).bytes);
    expect(JSON.parse(bobs.get('export.json')!.toString())).toMatchObject({ user_id: bob.userId });
    expect(textOf(bobs)).not.toMatch(/hello, this is mine|only: 'mine'|alice@example\.org/);
  });

  it('is handed to them again where their browser went away, before it began or halfway', async () => {
    const page = await browser.get(DATA);
    const [, token = ''] = /name="form_token" value="([^"]*)"/.exec(page.text)!;
    const body = new URLSearchParams({ form_token: token, password: 'a password' }).toString();
    const form = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
    for (const isBegun of [false, true]) {
      const asked = request(server.origin + DATA, { method: 'POST', headers: { ...form, cookie: browser.cookie } });
      const gone = new Promise((resolve) => asked.once('close', resolve));
      asked.on('error', () => undefined);
      asked.on('response', () => asked.destroy());
      asked.end(body, () => !isBegun && asked.destroy());
      await gone;
      // It is over once the server has noticed.
      await expect.poll(async () => (await download(browser)).status).toBe(200);
    }
  });

  it('is theirs while they are suspended, and nobody’s by the page while the account is locked', async () => {
    const { userId } = await server.register('carol');
    const carol = new PageReader(server);
    await signIn('carol', carol);
    const admins = '/_matrix/client/v1/admin';
    await call('PUT', `${admins}/suspend/${userId}`, { suspended: true }, admin);
    expect((await download(carol)).status).toBe(200);
    const page = await carol.get(DATA);
    await call('PUT', `${admins}/lock/${userId}`, { locked: true }, admin);
    expect((await carol.get(DATA)).text).toContain('Sign in');
    expect((await carol.send(page, DATA, { password: 'a password' })).status).toBe(403);
  });
});

describe('where the data of people is', { timeout: 120_000 }, () => {
  let here: FederatedServer;
  let far: FederatedServer;
  let late: FederatedServer;
  let alice: FederatedUser;

  beforeAll(async () => {
    [here, far, late] = await Promise.all([FederatedServer.start(), FederatedServer.start(), FederatedServer.start()]);
    alice = await here.register('alice');
  });
  afterAll(() => Promise.all([here.stop(), far.stop(), late.stop()]));

  async function exportOf(name: string): Promise<Map<string, string>> {
    const client = (await connectControl(join(here.folder, 'control.sock')))!;
    const written = new Map<string, string>();
    let path = '';
    for await (const part of client.stream({ method: 'users.export', name })) {
      const told = part as ExportedPart;
      if ('path' in told) written.set((path = told.path), '');
      else written.set(path, written.get(path)! + Buffer.from(told.base64, 'base64').toString());
    }
    client.close();
    return written;
  }
  const recordsOf = (written: Map<string, string>, kind: string): Body[] =>
    (JSON.parse(written.get(`json/${kind}-0001.json`) ?? '{"records":[]}') as Body).records;

  it('is told by the servers that were in rooms with them, and by those that came later', async () => {
    const made = { preset: 'public_chat', name: 'The pub' };
    const { room_id: roomId } = await alice.ok('POST', '/createRoom', made);
    const dave = await far.register('dave');
    await dave.ok('POST', `/join/${encodeURIComponent(roomId)}?via=${here.name}`, {});
    await dave.ok('POST', `/rooms/${encodeURIComponent(roomId)}/leave`, {});
    const erin = await late.register('erin');
    await erin.ok('POST', `/join/${encodeURIComponent(roomId)}?via=${here.name}`, {});
    const { room_id: other } = await dave.ok('POST', '/createRoom', { name: 'A party' });
    await dave.ok('POST', `/rooms/${encodeURIComponent(other)}/invite`, { user_id: alice.userId });

    await expect
      .poll(async () => recordsOf(await exportOf('alice'), 'servers'))
      .toEqual(
        [
          { server_name: far.name, rooms: 1, rooms_it_is_in: 0 },
          { server_name: late.name, rooms: 1, rooms_it_is_in: 1 },
        ].toSorted((a, b) => (a.server_name < b.server_name ? -1 : 1)),
      );
    const written = await exportOf(alice.userId);
    expect(recordsOf(written, 'copies')).toEqual([
      { room_id: roomId, name: 'The pub', servers_in_it: [late.name], servers_that_left: [far.name] },
    ]);
    expect(recordsOf(written, 'memberships-elsewhere')).toMatchObject([
      { room_id: other, membership: 'invite', by: dave.userId, name: 'A party' },
    ]);
    // Who came after a server was gone has nothing there.
    const bob = await here.register('bob');
    await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
    expect(recordsOf(await exportOf('bob'), 'servers')).toEqual([
      { server_name: late.name, rooms: 1, rooms_it_is_in: 1 },
    ]);
  });

  it('is handed to the command line of users of this server, and of nobody else', async () => {
    await expect(exportOf('@dave:elsewhere.example')).rejects.toThrow('is not a user of');
    await expect(exportOf('nobody')).rejects.toThrow('has no account here');
    // The one before is over.
    for (let n = 0; n < 6; n++) expect((await exportOf('alice')).has('index.html')).toBe(true);
  });
});
