import 'reflect-metadata';
import { connect } from 'node:net';
import { Controller, Get, Global, Module, Param, Post, Put, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { RATE_LIMITS } from '#config/rate-limits';
import { IsInt, IsObject, IsOptional, IsString } from 'class-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIG, loadConfig } from '#config/config';
import { CLOCK } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { ACCESS_TOKENS, type AccessTokens } from './access-tokens.js';
import { Authenticated, CurrentRequester, FindRequester, OptionallyAuthenticated } from './authenticated.js';
import { HttpModule } from './http.module.js';
import { EventContent, JsonBody, ListOf } from './json-body.js';
import { MatrixAdapter } from './matrix-adapter.js';
import { type Query as QueryRecord, queryInteger } from './query.js';
import { RateLimited } from './rate-limited.js';
import { RawJson } from './raw-json.js';
import { SERVICE_USERS } from './service-users.js';

class Invite {
  @IsString()
  user_id!: string;
}

class Dto {
  @IsString()
  room!: string;

  @IsOptional()
  @IsInt()
  count?: number;

  @IsOptional()
  @ListOf(Invite)
  invites?: Invite[];
}

class InnerDto {
  @IsObject()
  content!: JsonObject;
}

class OuterDto {
  @IsInt()
  count!: number;

  @IsOptional()
  @ListOf(InnerDto)
  inner?: InnerDto[];

  @IsOptional()
  @IsObject()
  extra?: JsonObject;
}

let now = 1_000_000;

const tokens: AccessTokens = {
  async requesterOf(token: string): Promise<Requester> {
    if (token === 'old') throw new MatrixError('M_UNKNOWN_TOKEN', undefined, { fields: { soft_logout: true } });
    if (!['alice', 'bob', 'guest'].includes(token)) throw new MatrixError('M_UNKNOWN_TOKEN');
    return {
      userId: `@${token}:test` as UserId,
      deviceId: 'D' as DeviceId,
      isAdmin: false,
      isGuest: token === 'guest',
      requestId: '',
    };
  },
  async holderOfExpired() {
    throw new MatrixError('M_UNKNOWN_TOKEN');
  },
  async validUntil() {
    return Infinity;
  },
};

@Controller(['_matrix/client/v3', '_matrix/client/api/v1'])
class Doors {
  @Get('whoami')
  @Authenticated()
  whoami(@CurrentRequester() requester: Requester): Requester {
    return requester;
  }

  @Get('guests')
  @Authenticated({ guests: true })
  guests(@CurrentRequester() requester: Requester): object {
    return { user_id: requester.userId };
  }

  @Get('maybe')
  @OptionallyAuthenticated()
  maybe(@FindRequester() requester: Requester | undefined): object {
    return { user_id: requester?.userId ?? null };
  }

  @Get('forgotten')
  forgotten(@CurrentRequester() requester: Requester): object {
    return requester;
  }

  @Post('json')
  json(@JsonBody() body: JsonObject): object {
    return { body, keys: Object.keys(body) };
  }

  @Post('content')
  content(@EventContent() content: JsonObject): object {
    return { canonical: canonicalJson(content, { lenient: true }) };
  }

  @Post('nested-dto')
  nestedDto(@JsonBody(OuterDto, { exactNumbers: true }) { count, inner = [], extra = {} }: OuterDto): object {
    const text = canonicalJson({ inner: inner.map(({ content }) => content), extra }, { lenient: true });
    return { count, text, areDtos: inner.every((one) => one instanceof InnerDto) };
  }

  @Post('empty')
  empty(@JsonBody(undefined, { allowEmpty: true }) body: JsonObject): object {
    return body;
  }

  @Post('dto')
  dto(@JsonBody(Dto) body: Dto): object {
    return { ...body, isDto: body instanceof Dto };
  }

  @Put('rooms/:roomId/state/:type/:stateKey')
  state(@Param('roomId') room: string, @Param('type') type: string, @Param('stateKey') key: string): object {
    return { room, type, key };
  }

  @Put('rooms/:roomId/state/:type')
  emptyState(@Param('roomId') room: string, @Param('type') type: string): object {
    return { room, type, key: '' };
  }

  @Get('integer')
  integer(@Query() query: QueryRecord): object {
    return { limit: queryInteger(query, 'limit', { min: 1, cap: 100 }) ?? null };
  }

  @Get('raw')
  raw(): RawJson {
    return new RawJson('{"as":  "it is"}');
  }

  @Get('bug')
  bug(): never {
    throw new TypeError('a secret detail');
  }

  @Post('limited')
  @RateLimited('login')
  @Authenticated()
  limited(): object {
    return {};
  }

  @Get('limited')
  @RateLimited('registration')
  limitedByAddress(): object {
    return {};
  }
}

@Global()
@Module({
  providers: [
    { provide: CONFIG, useValue: loadConfig({}) },
    { provide: CLOCK, useValue: { elapsed: () => now } },
    { provide: ACCESS_TOKENS, useValue: tokens },
    { provide: SERVICE_USERS, useValue: {} },
  ],
  exports: [CONFIG, CLOCK, ACCESS_TOKENS, SERVICE_USERS],
})
class PortsModule {}

@Module({ imports: [PortsModule, HttpModule], controllers: [Doors] })
class AppModule {}

let app: NestFastifyApplication;
let origin: string;
const V3 = '/_matrix/client/v3';

beforeAll(async () => {
  app = await NestFactory.create<NestFastifyApplication>(AppModule, new MatrixAdapter({ trustProxy: [] }), {
    bodyParser: false,
    logger: false,
  });
  await app.listen(0, '127.0.0.1');
  origin = await app.getUrl();
});

afterAll(() => app.close());

interface Answer {
  status: number;
  body: Record<string, unknown>;
  text: string;
  headers: Headers;
}

async function ask(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(origin + path, { method, ...init });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    text,
    headers: response.headers,
  };
}

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
  ask('POST', path, { body: new Blob([body]), headers });

const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

const bearer = (token: string): RequestInit => ({ headers: { authorization: `Bearer ${token}` } });

describe('authentication', () => {
  it('takes the token from the header', async () => {
    const { status, body } = await ask('GET', `${V3}/whoami`, bearer('alice'));
    expect(status).toBe(200);
    expect(body).toMatchObject({ userId: '@alice:test', deviceId: 'D' });
    expect(body.requestId).toMatch(/^[0-9a-f]{8}-/);
  });

  it('takes the token from the query, as historic clients send it', async () => {
    expect((await ask('GET', `${V3}/whoami?access_token=alice`)).body.userId).toBe('@alice:test');
    expect((await ask('GET', `/_matrix/client/api/v1/whoami?access_token=bob`)).body.userId).toBe('@bob:test');
  });

  it('refuses a missing token with 401 M_MISSING_TOKEN', async () => {
    const noToken = await ask('GET', `${V3}/whoami`);
    expect([noToken.status, noToken.body.errcode]).toEqual([401, 'M_MISSING_TOKEN']);
    expect((await ask('GET', `${V3}/forgotten`)).body.errcode).toBe('M_MISSING_TOKEN');
  });

  it('refuses two tokens, also where none is needed', async () => {
    for (const path of ['whoami', 'maybe']) {
      const twice = await ask('GET', `${V3}/${path}?access_token=alice&access_token=bob`);
      expect([twice.status, twice.body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    }
  });

  it('refuses an unknown token with 401 M_UNKNOWN_TOKEN, and says when it only expired', async () => {
    const unknown = await ask('GET', `${V3}/whoami`, bearer('eve'));
    expect([unknown.status, unknown.body.errcode, unknown.body.soft_logout]).toEqual([
      401,
      'M_UNKNOWN_TOKEN',
      undefined,
    ]);
    expect((await ask('GET', `${V3}/whoami`, bearer('old'))).body.soft_logout).toBe(true);
    expect((await ask('GET', `${V3}/maybe`, bearer('eve'))).status).toBe(401);
  });

  it('lets guests in only where they are welcome', async () => {
    const refused = await ask('GET', `${V3}/whoami`, bearer('guest'));
    expect([refused.status, refused.body.errcode]).toEqual([403, 'M_GUEST_ACCESS_FORBIDDEN']);
    expect((await ask('GET', `${V3}/guests`, bearer('guest'))).status).toBe(200);
  });

  it('does without a token where it is optional', async () => {
    expect((await ask('GET', `${V3}/maybe`)).body).toEqual({ user_id: null });
    expect((await ask('GET', `${V3}/maybe`, bearer('alice'))).body).toEqual({ user_id: '@alice:test' });
  });
});

describe('bodies', () => {
  it.each([['application/json'], ['text/plain'], ['application/x-www-form-urlencoded'], ['json'], ['a/b/c']])(
    'are JSON whatever the content type: %s',
    async (type) => {
      const { status, body } = await post(`${V3}/json`, '{"a":1}', { 'content-type': type });
      expect([status, body.body]).toEqual([201, { a: 1 }]);
    },
  );

  it('are JSON without a content type', async () => {
    const answer = await ask('POST', `${V3}/json`, { body: new Blob(['{"a":1}']) });
    expect(answer.body.body).toEqual({ a: 1 });
  });

  it.each([
    ['no JSON', '{"a":', 'M_NOT_JSON'],
    ['a byte order mark', '\uFEFF{}', 'M_NOT_JSON'],
    ['no body', '', 'M_NOT_JSON'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'M_NOT_JSON'],
    ['an array', '[]', 'M_BAD_JSON'],
    ['null', 'null', 'M_BAD_JSON'],
    ['a string', '"x"', 'M_BAD_JSON'],
  ])('are refused with 400 when they are %s', async (_what, text, errcode) => {
    const { status, body } = await post(`${V3}/json`, text);
    expect([status, body.errcode]).toEqual([400, errcode]);
    expect(body.error).toEqual(expect.any(String));
  });

  it.each([
    ['a key twice', '{"a":1,"b":{"x":1,"\\u0078":2}}'],
    ['half a surrogate pair', '{"displayname":"\\ud83d"}'],
    ['half a surrogate pair in a key', '{"a":{"\\udc00":1}}'],
    ['a number beyond all doubles', '{"a":1e400}'],
    ['an integer that a double would change', '{"a":{"b":[9007199254740993]}}'],
    ['a fraction that a double would change', '{"a":0.123456789012345678901}'],
  ])('are refused when they hold %s', async (_what, text) => {
    const { status, body } = await post(`${V3}/json`, text);
    expect([status, body.errcode]).toEqual([400, 'M_BAD_JSON']);
  });

  it('are refused as content too when a key is there twice or a text is not well-formed', async () => {
    for (const text of ['{"a":1,"a":1}', '{"a":["\\ud83d"]}']) {
      const { status, body } = await post(`${V3}/content`, text);
      expect([status, body.errcode]).toEqual([400, 'M_BAD_JSON']);
    }
  });

  it('hold doubles, and as the content of an event numbers of any size, spelled as other servers do', async () => {
    const doubles = '"b":1.0,"c":-0,"d":1e10,"e":0.50';
    expect((await post(`${V3}/json`, `{${doubles}}`)).body.body).toEqual({ b: 1, c: 0, d: 1e10, e: 0.5 });
    expect((await post(`${V3}/content`, `{"a":9007199254740993,${doubles}}`)).body.canonical).toBe(
      '{"a":9007199254740993,"b":1.0,"c":0,"d":10000000000,"e":0.5}',
    );
  });

  it('leave content within a checked instance as it is', async () => {
    const content = '{"constructor":1,"n":[9007199254740993],"then":{"__proto__":{"constructor":2}}}';
    const { body } = await post(
      `${V3}/nested-dto`,
      `{"count":2.0,"inner":[{"content":${content}}],"extra":${content}}`,
    );
    const text = `{"extra":{"constructor":1,"n":[9007199254740993],"then":{"__proto__":{"constructor":2}}},"inner":[${content}]}`;
    expect(body).toEqual({ count: 2, text, areDtos: true });
  });

  it('may be empty where the endpoint says so', async () => {
    expect((await ask('POST', `${V3}/empty`)).status).toBe(201);
    expect((await post(`${V3}/empty`, '', { 'content-type': 'application/json' })).status).toBe(201);
    expect((await post(`${V3}/empty`, '[]')).body.errcode).toBe('M_BAD_JSON');
  });

  it('keep __proto__ as a key and touch no prototype', async () => {
    const { text } = await post(
      `${V3}/json`,
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    );
    expect(text).toContain('"keys":["__proto__","constructor"]');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const dto = await post(`${V3}/dto`, '{"room":"r","__proto__":{"count":7}}');
    expect(dto.body).toEqual({ room: 'r', isDto: true });
    const unchecked = await post(`${V3}/dto`, '{"room":5,"constructor":{"name":"Object"}}');
    expect([unchecked.status, unchecked.body.errcode]).toEqual([400, 'M_BAD_JSON']);
  });

  it('may nest 100 deep and no deeper, however the brackets hide in strings', async () => {
    expect((await post(`${V3}/json`, nested(100))).status).toBe(201);
    expect((await post(`${V3}/json`, nested(101))).body.errcode).toBe('M_BAD_JSON');
    // An event nests one deeper than its content.
    expect((await post(`${V3}/content`, nested(99))).status).toBe(201);
    expect((await post(`${V3}/content`, nested(100))).body.errcode).toBe('M_BAD_JSON');
    expect((await post(`${V3}/json`, nested(100_000))).body.errcode).toBe('M_BAD_JSON');
    expect((await post(`${V3}/json`, JSON.stringify({ a: `${'\\"['.repeat(300)}\\` }))).status).toBe(201);
  });

  it('are refused with 413 M_TOO_LARGE beyond 1 MiB', async () => {
    const { status, body } = await post(`${V3}/json`, JSON.stringify({ a: 'x'.repeat(1024 * 1024) }));
    expect([status, body.errcode]).toEqual([413, 'M_TOO_LARGE']);
  });

  it('become checked instances of a class, without keys that it does not know', async () => {
    const { body } = await post(`${V3}/dto`, '{"room":"r","count":2,"more":1}');
    expect(body).toEqual({ room: 'r', count: 2, isDto: true });
  });

  it.each([
    ['{}', 'M_MISSING_PARAM', 'room: required'],
    ['{"room":1}', 'M_BAD_JSON', 'room: must be a string'],
    ['{"room":"r","count":"2"}', 'M_BAD_JSON', 'count: must be an integer number'],
    ['{"room":"r","invites":[{"user_id":"u"},{}]}', 'M_MISSING_PARAM', 'invites.1.user_id: required'],
    ['{"room":"r","invites":[{"user_id":[]}]}', 'M_BAD_JSON', 'invites.0.user_id: must be a string'],
    ['{"room":"r","invites":[7]}', 'M_BAD_JSON', expect.stringContaining('invites')],
  ])('of the wrong form are refused by name: %s', async (text, errcode, error) => {
    const { status, body } = await post(`${V3}/dto`, text);
    expect([status, body.errcode, body.error]).toEqual([400, errcode, error]);
  });
});

describe('routing', () => {
  const room = encodeURIComponent('!r:test');

  it('keeps an escaped slash, percent sign or question mark within its part of the path', async () => {
    const key = '$a/b%2F?#é';
    const { body } = await ask('PUT', `${V3}/rooms/${room}/state/m.x/${encodeURIComponent(key)}`);
    expect(body).toEqual({ room: '!r:test', type: 'm.x', key });
  });

  it('takes an empty state key with and without a slash at the end', async () => {
    for (const path of ['m.x', 'm.x/']) {
      const { status, body } = await ask('PUT', `${V3}/rooms/${room}/state/${path}`);
      expect([status, body]).toEqual([200, { room: '!r:test', type: 'm.x', key: '' }]);
    }
  });

  it('takes ids of 255 bytes, each of them escaped', async () => {
    const key = '/'.repeat(255);
    const { body } = await ask('PUT', `${V3}/rooms/${room}/state/m.x/${encodeURIComponent(key)}`);
    expect(body.key).toBe(key);
  });

  it('takes sigils and colons without escapes, as historic clients send them', async () => {
    expect((await ask('PUT', `${V3}/rooms/!r:test/state/m.x/@u:test`)).body).toMatchObject({ key: '@u:test' });
  });

  it.each([
    ['GET', '/_matrix/client/v3/nothing'],
    ['GET', '/_matrix/client/v99/whoami'],
    ['POST', '/_matrix/elsewhere'],
    ['GET', '/nothing'],
    ['GET', '/_matrix/client/v3/rooms//state/m.x/k'],
  ])('answers an unknown path with 404 M_UNRECOGNIZED: %s %s', async (method, path) => {
    const { status, body, headers } = await ask(method, path);
    expect([status, body.errcode]).toEqual([404, 'M_UNRECOGNIZED']);
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });

  it.each([
    ['DELETE', `${V3}/whoami`, 'GET'],
    ['PUT', `${V3}/json/`, 'POST'],
    ['PATCH', `${V3}/rooms/${room}/state/m.x/k`, 'PUT'],
  ])('answers a wrong method with 405 M_UNRECOGNIZED: %s %s', async (method, path, allowed) => {
    const { status, body, headers } = await ask(method, path);
    expect([status, body.errcode]).toEqual([405, 'M_UNRECOGNIZED']);
    expect(headers.get('allow')).toContain(allowed);
  });

  it('answers a bad percent-escape with 400 M_INVALID_PARAM', async () => {
    const { status, body, headers } = await ask('GET', `${V3}/rooms/%zz/state/m.x/k`);
    expect([status, body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });

  it('answers a part of a path that is too long in the standard shape', async () => {
    const { status, body } = await ask('PUT', `${V3}/rooms/${'x'.repeat(3000)}/state/m.x/k`);
    expect([status, body.errcode]).toEqual([414, 'M_INVALID_PARAM']);
  });

  it('answers what is no HTTP in the standard shape', async () => {
    const text = await exchange('NONSENSE\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"errcode":"M_UNKNOWN"');
  });
});

/** What the server writes to a connection on which these bytes come in, until it closes it. */
function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.on('close', () => resolve(received));
    socket.on('error', () => {});
  });
}

describe('browsers', () => {
  it('may ask from anywhere: OPTIONS is answered on every path', async () => {
    for (const path of [`${V3}/whoami`, `${V3}/rooms/x/state/y/z`, '/_matrix/client/v3/nothing']) {
      const { status, headers } = await ask('OPTIONS', path);
      expect(status).toBe(204);
      expect(headers.get('access-control-allow-methods')).toContain('PUT');
      expect(headers.get('access-control-allow-headers')).toContain('Authorization');
    }
  });

  it('may ask before a request whose path cannot be read, and then see what is wrong with it', async () => {
    for (const path of [`${V3}/rooms/%zz/state/m.x/k`, `${V3}/rooms/${'x'.repeat(3000)}/state/m.x/k`, '/%', '/%ff']) {
      const asked = await ask('OPTIONS', path);
      expect([path, asked.status]).toEqual([path, 204]);
      expect(asked.headers.get('access-control-allow-origin')).toBe('*');
      const refused = await ask('PUT', path);
      expect(refused.status).toBeGreaterThanOrEqual(400);
      expect(refused.headers.get('access-control-allow-origin')).toBe('*');
      expect(refused.body.errcode).toMatch(/^M_/);
    }
  });

  it.each([
    ['header', 'GET / HTTP/1.1\r\nHost: x\r\nX: ' + 'x'.repeat(20_000) + '\r\n\r\n', 431],
    ['transfer encoding', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: bogus\r\n\r\n', 400],
    ['line', 'NONSENSE\r\n\r\n', 400],
  ])('see the headers on the answer to a %s that is no HTTP', async (_what, request, status) => {
    const text = await exchange(request);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/^access-control-allow-origin: \*\r$/im);
    expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toEqual({
      errcode: 'M_UNKNOWN',
      error: expect.any(String),
    });
  });

  it('see the headers whatever a request expects of the server', async () => {
    const headers = `Host: x\r\nConnection: close\r\nExpect: miracles\r\n`;
    const text = await exchange(`GET ${V3}/maybe HTTP/1.1\r\n${headers}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/^access-control-allow-origin: \*\r$/im);
  });

  it('see the headers on refusals too', async () => {
    expect((await ask('GET', `${V3}/whoami`)).headers.get('access-control-allow-origin')).toBe('*');
  });
});

describe('answers', () => {
  it('that are JSON text already go out as they are', async () => {
    const { text, headers, status } = await ask('GET', `${V3}/raw`);
    expect([status, text]).toEqual([200, '{"as":  "it is"}']);
    expect(headers.get('content-type')).toBe('application/json');
  });

  it('of a bug are 500 M_UNKNOWN with an id and tell nothing', async () => {
    const { status, body, text } = await ask('GET', `${V3}/bug`);
    expect([status, body.errcode]).toEqual([500, 'M_UNKNOWN']);
    expect(body.error).toMatch(/^Internal error [0-9a-f]{8}-\w+$/);
    expect(text).not.toContain('secret');
  });

  it('name a query parameter out of range', async () => {
    expect((await ask('GET', `${V3}/integer?limit=500`)).body).toEqual({ limit: 100 });
    for (const none of ['', '?limit', '?limit='])
      expect((await ask('GET', `${V3}/integer${none}`)).body).toEqual({ limit: null });
    for (const limit of ['0', '-1', '1.5', 'x']) {
      const { status, body } = await ask('GET', `${V3}/integer?limit=${limit}`);
      expect([status, body.errcode]).toEqual([400, 'M_INVALID_PARAM']);
    }
  });
});

describe('rate limits', () => {
  it('refuse with 429 and say when to come back, for each user alone', async () => {
    for (let i = 0; i < 10; i++) expect((await ask('POST', `${V3}/limited`, bearer('alice'))).status).toBe(201);
    const { status, body, headers } = await ask('POST', `${V3}/limited`, bearer('alice'));
    expect([status, body.errcode, body.retry_after_ms]).toEqual([429, 'M_LIMIT_EXCEEDED', 5000]);
    expect(headers.get('retry-after')).toBe('5');
    expect(headers.get('access-control-expose-headers')).toContain('Retry-After'); // or no web page could read it
    expect((await ask('POST', `${V3}/limited`, bearer('bob'))).status).toBe(201);
    now += 5000;
    expect((await ask('POST', `${V3}/limited`, bearer('alice'))).status).toBe(201);
    expect((await ask('POST', `${V3}/limited`, bearer('alice'))).status).toBe(429);
  });

  it('count by address where nobody is known', async () => {
    for (let i = 0; i < RATE_LIMITS.registration.burst; i++)
      expect((await ask('GET', `${V3}/limited`)).status).toBe(200);
    expect((await ask('GET', `${V3}/limited`)).status).toBe(429);
  });
});
