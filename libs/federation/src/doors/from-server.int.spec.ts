import 'reflect-metadata';
import { request as httpRequest } from 'node:http';
import { Controller, Get, Global, Module, Put } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONFIG } from '#config/config';
import { ACCESS_TOKENS } from '#http/access-tokens';
import { SERVICE_USERS } from '#http/service-users';
import { BodyLimit } from '#http/body-limit';
import { HttpModule } from '#http/http.module';
import { MatrixAdapter } from '#http/matrix-adapter';
import { CLOCK } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson, verifyJson } from '#protocol/signing/sign-json';
import { createSigningKey, parseVerifyKey } from '#protocol/signing/signing-key';
import { FakePeer } from '#testing/fake-peer';
import { TEST_AUTHOR } from '#testing/local-room';
import { TestKeys } from '#testing/test-keys';
import { TestPeers } from '#testing/test-peers';
import { KeyRing } from '../keys/key-ring.js';
import { MemoryEventStore } from '#testing/memory-event-store';
import { createLogger } from '#observability/logger';
import { systemClock } from '#kernel/clock';
import { OwnKeys } from '../keys/own-keys.js';
import { ServerKeyLog } from '../keys/server-key-log.js';
import { FederatedServers } from '../peers/federated-servers.js';
import { Peers } from '../peers/peers.js';
import { signRequest } from '#protocol/signing/sign-request';
import { QueryServerKeysHandler } from '../queries/query-server-keys.js';
import { readRefused, REFUSALS_STREAM } from '../facts/refusal-facts.js';
import { Refusals } from '../refusals/refusals.js';
import { AuthenticateRequest } from './authenticate-request.js';
import { type Part, readInParts, type SignedContent } from '../receive/unread-part.js';
import { FromServer, InParts, Origin, ServerContent } from './from-server.js';
import { SigningKeysController } from './signing-keys.controller.js';

const OURS = TEST_AUTHOR.serverName;
const PATH = '/_matrix/federation/v1/echo/x%2Fy?a=1&b=%20';

@FromServer()
@Controller('_matrix/federation/v1/echo')
class EchoController {
  @Get(':what')
  get(@Origin() origin: ServerName): object {
    return { origin };
  }

  @Put(':what')
  @BodyLimit(10 * 1024 * 1024)
  put(@Origin() origin: ServerName, @ServerContent() content: JsonObject): object {
    return { origin, length: canonicalJson(content, { lenient: true }).length };
  }

  @Put('parts/:what')
  @BodyLimit(10 * 1024 * 1024)
  @InParts()
  putParts(@Origin() origin: ServerName, @ServerContent() content: SignedContent): object {
    const parts = (content['pdus'] ?? []) as readonly Part[];
    const lengths = [...readInParts(parts)].map((some) => canonicalJson(some as JsonValue, { lenient: true }).length);
    return { origin, lengths };
  }
}

@Controller('_matrix/federation/v1/forgotten')
class ForgottenController {
  @Put()
  put(@Origin() origin: ServerName): object {
    return { origin };
  }
}

let peer: FakePeer;
let ours: TestPeers;
let keys: TestKeys;
let app: NestFastifyApplication;
let log: MemoryEventStore;
let at: string;

async function start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
  ours = new TestPeers({ settings: { ANNALS_RATE_LIMITS: 'off', ...settings } });
  keys = await TestKeys.start(ours);
  log = new MemoryEventStore();
  const refusals = new Refusals(log, systemClock, await createLogger('silent'));
  const given = [
    { provide: Refusals, useValue: refusals },
    { provide: CONFIG, useValue: ours.config },
    { provide: CLOCK, useValue: keys.clock },
    { provide: ACCESS_TOKENS, useValue: {} },
    { provide: SERVICE_USERS, useValue: {} },
    { provide: OwnKeys, useValue: keys.own },
    { provide: KeyRing, useValue: keys.ring },
    { provide: ServerKeyLog, useValue: keys.keyLog },
    { provide: Peers, useValue: ours.peers },
    { provide: FederatedServers, useValue: new FederatedServers(ours.config) },
  ];

  @Global()
  @Module({ providers: given, exports: given.map(({ provide }) => provide) })
  class Given {}

  @Module({
    imports: [Given, CqrsModule.forRoot(), HttpModule],
    controllers: [EchoController, ForgottenController, SigningKeysController],
    providers: [AuthenticateRequest, QueryServerKeysHandler],
  })
  class TestApp {}

  const options = { abortOnError: false, bodyParser: false, logger: false } as const;
  app = await NestFactory.create<NestFastifyApplication>(TestApp, new MatrixAdapter(ours.config), options);
  await app.listen(0, '127.0.0.1');
  at = (await app.getUrl()).replace('[::1]', '127.0.0.1');
}

async function stop(): Promise<void> {
  await app.close();
  await ours.close();
}

beforeEach(async () => {
  peer = await FakePeer.start();
  await start();
});
afterEach(async () => {
  await stop();
  await peer.stop();
});

const unsigned = (destination: ServerName = OURS): Parameters<typeof signRequest>[0] => ({
  method: 'GET',
  uri: PATH,
  origin: peer.name,
  destination,
});
const signed = (): string => signRequest(unsigned(), peer.server.signingKey).authorization;
const ask = (authorization?: string, path = PATH) => peer.ask(at, { destination: OURS, path, authorization });
/** So many bytes of empty lists. */
const manyValues = (bytes: number): string => `[${'[],'.repeat(bytes / 3 - 1)}[]]`;
const refused = { status: 401, body: { errcode: 'M_UNAUTHORIZED' } };

/** A request as it is sent, with as many headers as there are. */
function send(
  method: string,
  path: string,
  headers: readonly string[],
  body?: string,
): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${at}${path}`, {
      method,
      agent: false,
      headers: { authorization: [...headers] } as never,
    });
    sent.on('error', reject).on('response', (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) as unknown }));
    });
    sent.end(body);
  });
}

describe('a door for other servers', () => {
  it('knows by the signature who asks, and asks once for their keys', async () => {
    expect(await ask()).toEqual({ status: 200, body: { origin: peer.name } });
    expect(await ask()).toMatchObject({ status: 200 });
    expect(peer.calls.map(({ path }) => path)).toEqual(['/_matrix/key/v2/server']);
  });

  it('takes a request that names no destination, as servers of before', async () => {
    const { destination: _, ...before } = unsigned();
    const { signatures } = signJson({ ...before } as JsonObject, peer.name, peer.server.signingKey) as never as {
      signatures: Record<string, Record<string, string>>;
    };
    const [[keyId, sig]] = Object.entries(signatures[peer.name]!) as [[string, string]];
    expect(await ask(`X-Matrix origin=${peer.name},key=${keyId},sig=${sig}`)).toMatchObject({ status: 200 });
  });

  it('refuses who is not known, or signed something else', async () => {
    expect(await ask('')).toMatchObject(refused);
    expect(await ask('Bearer abc')).toMatchObject(refused);
    expect(await ask(signed(), PATH.replace('a=1', 'a=2'))).toMatchObject(refused);
    expect(await ask(signed(), PATH.replace('%2F', '%2f'))).toMatchObject(refused);
    expect(await ask(signed().replace(/sig="..../, 'sig="AAAA'))).toMatchObject(refused);
    expect(await ask(signed().replace(/sig="[^"]+/, 'sig="!'))).toMatchObject(refused);
    expect(await ask(signed().replace(peer.server.signingKey.keyId, 'ed25519:other'))).toMatchObject(refused);
    expect(await ask(signed())).toMatchObject({ status: 200 });
  });

  it('says of a header that cannot be read, or names no server, that it is none', async () => {
    const none = { status: 400, body: { errcode: 'M_UNAUTHORIZED' } };
    expect(await ask('X-Matrix nonsense')).toMatchObject(none);
    expect(await ask(signed().replace(peer.name, 'localhost:http'))).toMatchObject(none);
    expect(await send('GET', PATH, [signed(), 'X-Matrix origin'])).toMatchObject(none);
  });

  it('notes for the operator whom it did not believe, in one stream for all', async () => {
    await ask('');
    await ask('X-Matrix nonsense');
    await ask(signed().replace(/sig="..../, 'sig="AAAA'));
    await ask(signed().replace(peer.server.signingKey.keyId, 'ed25519:other'));
    await app.get(Refusals).write(true);
    const told = [];
    for await (const fact of log.readStream(REFUSALS_STREAM)) told.push(...readRefused(fact).refusals);
    expect(told.map(({ kind, server, reason }) => `${kind} ${server}: ${reason}`)).toEqual([
      `request ${peer.name}: The signature with ${peer.server.signingKey.keyId} does not hold`,
      `request ${peer.name}: The keys of ${peer.name} cannot be had, or it has none of this name`,
    ]);
  });

  it('refuses a request for another server, also where it is signed so', async () => {
    const elsewhere = signRequest(unsigned('c.example' as ServerName), peer.server.signingKey).authorization;
    expect(await ask(elsewhere)).toMatchObject(refused);
    expect(await ask(elsewhere.replace('c.example', OURS))).toMatchObject(refused);
  });

  it('refuses who says to be this server, or a server that does not answer', async () => {
    const us = signRequest({ ...unsigned(), origin: OURS }, TEST_AUTHOR.signingKey).authorization;
    expect(await ask(us)).toMatchObject(refused);
    const gone = signRequest({ ...unsigned(), origin: 'localhost:1' as ServerName }, peer.server.signingKey);
    expect(await ask(gone.authorization)).toMatchObject(refused);
  });

  it('refuses keys that are old or no longer valid', async () => {
    const { signingKey, name } = peer.server;
    const other = createSigningKey(Buffer.alloc(32, 3), 'other');
    const key = { key: encodeBase64(signingKey.publicKey), expired_ts: keys.clock.time + 1 };
    const document = {
      server_name: name,
      valid_until_ts: keys.clock.time + 1_000,
      verify_keys: { [other.keyId]: { key: encodeBase64(other.publicKey) } },
      old_verify_keys: { [signingKey.keyId]: key },
    };
    peer.on('GET', '/_matrix/key/v2/server', () => ({ body: signJson(document, name, other) }));
    expect(await ask()).toMatchObject(refused);
    const by = signRequest(unsigned(), other).authorization;
    expect(await ask(by)).toMatchObject({ status: 200 });
    keys.clock.time += 100_000;
    expect(await ask(by)).toMatchObject(refused);
  });

  it('asks for a key again before it ends, while it answers by the one it knows', async () => {
    const keysUntil = (validUntil: number) =>
      peer.on('GET', '/_matrix/key/v2/server', () => ({ body: peer.keys(validUntil) }));
    const first = keys.clock.time + 7_200_000;
    keysUntil(first);
    await ask();
    keys.clock.time += 5_000_000;
    keysUntil(first + 7_200_000);
    expect(await ask()).toMatchObject({ status: 200 });
    const validUntil = () => keys.ring.find(peer.name, peer.server.signingKey.keyId)?.validUntil;
    await expect.poll(validUntil).toBe(first + 7_200_000);
    expect(peer.calls).toHaveLength(2);
  });

  it('takes several signatures of one server, and none of several servers', async () => {
    const other = signed().replace(peer.server.signingKey.keyId, 'ed25519:unknown');
    expect(await send('GET', PATH, [other, 'Bearer x', signed()])).toMatchObject({ status: 200 });
    expect(await send('GET', PATH, [signed(), signed().replace(peer.name, 'c.example')])).toMatchObject(refused);
  });

  it('reads the content with its numbers as they were spelled, however the body is written', async () => {
    const content = {
      b: new JsonNumber('1.50'),
      c: new JsonNumber('1e2'),
      a: 'é',
      d: new JsonNumber('18446744073709551616'),
    };
    const { length } = canonicalJson(content, { lenient: true });
    const asked = peer.ask(at, { destination: OURS, method: 'PUT', path: PATH, content });
    expect(await asked).toEqual({ status: 200, body: { origin: peer.name, length } });
    const { authorization } = signRequest({ ...unsigned(), method: 'PUT', content }, peer.server.signingKey);
    const body = '{ "d":18446744073709551616,\n"c": 1e2, "b":1.50, "a":"\\u00e9" }';
    expect(await send('PUT', PATH, [authorization], body)).toMatchObject({ status: 200 });
    expect(await send('PUT', PATH, [authorization], body.replace('1.50', '1.5'))).toMatchObject(refused);
    const bad = (text: string) => send('PUT', PATH, [authorization], text);
    expect(await bad('{"a":1,"a":1}')).toMatchObject({ status: 400, body: { errcode: 'M_BAD_JSON' } });
    expect(await bad('[]')).toMatchObject({ status: 400, body: { errcode: 'M_BAD_JSON' } });
    expect(await bad('{')).toMatchObject({ status: 400, body: { errcode: 'M_NOT_JSON' } });
    expect(await send('PUT', PATH, [], '{')).toMatchObject(refused);
    const many = await bad(`{"a":[${'{},'.repeat(600_000)}{}]}`);
    expect(many).toMatchObject({ status: 413, body: { errcode: 'M_TOO_LARGE' } });
    expect(await bad(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)).toMatchObject({ status: 400 });
  });

  it('reads a body of millions of values part by part, and what is signed is all of it', async () => {
    const path = '/_matrix/federation/v1/echo/parts/x';
    const event = `{"a":${manyValues(65_000)},"n":1234}`;
    const body = `{"edus":[],"origin":"x","pdus":[${Array(50).fill(event).join(',')}]}`.replace('1234', '1.50');
    const { authorization } = signRequest({ ...unsigned(), method: 'PUT', uri: path }, peer.server.signingKey, body);
    const { status, body: answer } = await send('PUT', path, [authorization], body);
    const lengths = (answer as { lengths: number[] }).lengths;
    expect([status, lengths.reduce((sum, length) => sum + length - 1, 0)]).toEqual([200, 50 * (event.length + 1)]);
    expect(lengths.length).toBeGreaterThan(3);
    const spelled = body.replace('"edus":[],"origin":"x",', '').replace(/}$/, ', "origin":"\\u0078",\n"edus":[ ]}');
    expect(await send('PUT', path, [authorization], spelled)).toMatchObject({ status: 200 });
    expect(await send('PUT', path, [authorization], body.replace('1.50', '1.51'))).toMatchObject(refused);
    const twice = body.replace('1.50', '1,"n":1');
    expect(await send('PUT', path, [authorization], twice)).toMatchObject({ status: 400 });
    for (const giant of [manyValues(3_000_000), `${'['.repeat(900_000)}${']'.repeat(900_000)}`]) {
      const one = body.replace(event, giant);
      const tooLarge = { status: 413, body: { errcode: 'M_TOO_LARGE' } };
      expect(await send('PUT', path, [authorization], one)).toMatchObject(tooLarge);
    }
  });

  it('lets others have their turn between the parts of a body, and has no part that takes long', async () => {
    const path = '/_matrix/federation/v1/echo/parts/x';
    const put = (pdus: JsonObject[]) => peer.ask(at, { destination: OURS, method: 'PUT', path, content: { pdus } });
    const part = (values: number): JsonObject => ({ text: 'x'.repeat(100_000), a: Array<number>(values).fill(1) });
    const { status, body } = await put(Array<JsonObject>(12).fill(part(3_000)));
    expect([status, (body as { lengths: number[] }).lengths.length]).toEqual([200, 2]);
    expect(await put([part(60_000)])).toMatchObject({ status: 200 });
    expect(await put([part(70_000)])).toMatchObject({ status: 413, body: { errcode: 'M_TOO_LARGE' } });
  });

  it('takes as much as its door says, and elsewhere no more than of clients', async () => {
    const large = (bytes: number) => ({ pdus: Array.from({ length: bytes / 65_536 }, () => 'x'.repeat(65_530)) });
    const put = (content: JsonObject, path = PATH) => peer.ask(at, { destination: OURS, method: 'PUT', path, content });
    expect(await put(large(150 * 65_536))).toMatchObject({ status: 200 });
    const tooLarge = { status: 413, body: { errcode: 'M_TOO_LARGE' } };
    expect(await put(large(170 * 65_536))).toMatchObject(tooLarge);
    expect(await put(large(17 * 65_536), '/_matrix/federation/v1/forgotten')).toMatchObject(tooLarge);
  });

  it('refuses where the guard was forgotten', async () => {
    const path = '/_matrix/federation/v1/forgotten';
    expect(await peer.ask(at, { destination: OURS, method: 'PUT', path, content: {} })).toMatchObject(refused);
  });

  it('wakes whoever leaves the server alone', async () => {
    const awake: string[] = [];
    await ask();
    ours.peers.onAwake((server) => void awake.push(server));
    await ask('X-Matrix nonsense');
    await ask(signed().replace(/sig="..../, 'sig="AAAA'));
    expect(awake).toEqual([]);
    await ask();
    expect(awake).toEqual([peer.name]);
  });

  it('refuses servers that the operator does not let in, and asks them nothing', async () => {
    await stop();
    await start({ ANNALS_FEDERATION_DENY: 'localhost' });
    expect(await ask()).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    expect(peer.calls).toEqual([]);
  });

  it('lets an address with names that nobody knows wait, and not the servers that are known', async () => {
    await stop();
    await start({ ANNALS_RATE_LIMITS: 'on' });
    expect(await ask()).toMatchObject({ status: 200 });
    const names = Array.from({ length: 120 }, (_, i) => signed().replace(peer.name, `localhost:${i + 1}`));
    const answers = await Promise.all(names.map((header) => ask(header)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]));
    expect(await ask()).toMatchObject({ status: 200 });
  });
});

describe('our keys', () => {
  it('are published, signed by us, for a day', async () => {
    for (const path of ['/_matrix/key/v2/server', '/_matrix/key/v2/server/ed25519:any']) {
      const { status, body } = await peer.ask(at, { destination: OURS, path, authorization: '' });
      const { keyId, publicKey } = TEST_AUTHOR.signingKey;
      expect([status, body]).toMatchObject([
        200,
        {
          server_name: OURS,
          valid_until_ts: keys.clock.time + 24 * 3600_000,
          verify_keys: { [keyId]: { key: encodeBase64(publicKey) } },
          old_verify_keys: {},
        },
      ]);
      expect(verifyJson(body, OURS, keyId, parseVerifyKey(publicKey)!)).toBe(true);
    }
  });
});

describe('a notary', () => {
  const query = async (server_keys: JsonObject, path = '/_matrix/key/v2/query') => {
    const content = { server_keys };
    return peer.ask(at, { destination: OURS, method: 'POST', path, content, authorization: '' });
  };
  const get = (path: string) =>
    peer.ask(at, { destination: OURS, path: `/_matrix/key/v2/query/${path}`, authorization: '' });
  const documentsOf = ({ body }: { readonly body: JsonObject }): JsonObject[] =>
    body['server_keys'] as never as JsonObject[];

  it('answers what a server publishes, signed by both', async () => {
    for (const answer of [await get(encodeURIComponent(peer.name)), await query({ [peer.name]: {} })]) {
      const [document, ...more] = documentsOf(answer);
      expect([answer.status, more]).toEqual([200, []]);
      expect(verifyJson(document!, peer.name, peer.server.signingKey.keyId, peer.server.verifyKey)).toBe(true);
      const own = parseVerifyKey(TEST_AUTHOR.signingKey.publicKey)!;
      expect(verifyJson(document!, OURS, TEST_AUTHOR.signingKey.keyId, own)).toBe(true);
    }
    expect(peer.calls).toHaveLength(1);
  });

  it('goes on answering for a server that is gone, long after its keys were valid', async () => {
    await get(encodeURIComponent(peer.name));
    await peer.stop();
    keys.clock.time += 365 * 24 * 3600_000;
    const [document] = documentsOf(
      await get(`${encodeURIComponent(peer.name)}?minimum_valid_until_ts=${keys.clock.time}`),
    );
    expect(document).toMatchObject({ server_name: peer.name });
    const again = await TestKeys.start(ours, keys.log);
    expect((await again.ring.told([peer.name])).get(peer.name)?.told).toHaveLength(1);
  });

  it('answers for itself, and nothing for whom nobody knows', async () => {
    expect(documentsOf(await get(OURS))).toMatchObject([{ server_name: OURS }]);
    expect(await get('localhost:1')).toEqual({ status: 200, body: { server_keys: [] } });
    expect(await query({})).toEqual({ status: 200, body: { server_keys: [] } });
  });

  it('asks anew where what is known is not valid for long enough, and not again and again', async () => {
    peer.on('GET', '/_matrix/key/v2/server', () => ({ body: peer.keys(keys.clock.time + 1_000) }));
    const wanted = (at_: number) => ({
      [peer.name]: { [peer.server.signingKey.keyId]: { minimum_valid_until_ts: at_ } },
    });
    await query(wanted(keys.clock.time));
    expect(peer.calls).toHaveLength(1);
    await keys.follow();
    keys.clock.time += 120_000;
    await query(wanted(keys.clock.time - 119_500));
    expect(peer.calls).toHaveLength(1);
    for (let i = 0; i < 10; i++) await query(wanted(keys.clock.time + 365 * 24 * 3600_000));
    expect(peer.calls).toHaveLength(2);
  });

  it('tells no more at once than it takes little time to sign, whatever servers publish', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `s${i}.example` as ServerName);
    const told = (server_name: ServerName) => ({
      fetched_ts: keys.clock.time,
      document: { ...peer.keys(keys.clock.time + 3600_000), server_name, more: 'x'.repeat(15_000) },
    });
    for (const name of names) await keys.keyLog.keep(name, told(name));
    await keys.follow();
    const answer = await query(Object.fromEntries(names.map((name) => [name, {}])));
    expect(answer.status).toBe(200);
    expect(documentsOf(answer).length).toBeGreaterThan(50);
    expect(JSON.stringify(answer.body).length).toBeLessThan(1.1 * 1024 * 1024);
  });

  it('asks few servers because of one request', async () => {
    const before = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`localhost:${i + 1}`, {}]));
    const last = await query({ ...before, [peer.name]: {} });
    expect([documentsOf(last), peer.calls]).toEqual([[], []]);
  });

  it.each([
    [{ 'not a name!': {} }, 'M_INVALID_PARAM'],
    [{ 'b.example': 7 }, 'M_BAD_JSON'],
    [{ 'b.example': { 'ed25519:a': 7 } }, 'M_BAD_JSON'],
    [{ 'b.example': { 'ed25519:a': { minimum_valid_until_ts: '7' } } }, 'M_BAD_JSON'],
  ])('refuses %j', async (wanted, errcode) => {
    expect(await query(wanted)).toMatchObject({ status: 400, body: { errcode } });
  });
});
