import { OF_OPERATOR, placeOf } from './place-of.js';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import type { ConnectorOptions, ServerPlace } from './guarded-connector.js';
import {
  Outgoing,
  type OutgoingAnswer,
  OutgoingFailure,
  type OutgoingRequest,
  type StreamedAnswer,
} from './outgoing.js';

const AUTHORITY = new TestAuthority();
const DAY = 86_400_000;

let server: Server;
let port: number;
let outgoing: Outgoing;
/** What names the clients asked for, one for each connection; false: none. */
let names: (string | false)[];
let requests: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  [names, requests] = [[], 0];
  answer = (_, response) => void response.end('here');
  const { certificate: cert, key } = AUTHORITY.issue(['a.example', 'b.example', '127.0.0.1']);
  server = createServer({ cert, key }, (request, response) => {
    requests++;
    answer(request, response);
  });
  server.on('secureConnection', (socket: TLSSocket & { servername?: string | false }) =>
    names.push(socket.servername ?? false),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo); // it listens on a port
  open();
});
afterEach(async () => {
  await outgoing.onModuleDestroy();
  server.closeAllConnections();
  server.close();
});

function open(options: Partial<ConnectorOptions> = {}): void {
  outgoing = new Outgoing({ ca: AUTHORITY.certificate, allowPrivate: true, connectMs: 5000, ...options });
}

/** That server, by a name that it has a certificate for. */
const place = (tlsName = 'a.example', host = '127.0.0.1'): ServerPlace => ({ tlsName, at: [{ host, port }] });

function send(to: ServerPlace = place(), request: Partial<OutgoingRequest> = {}): Promise<OutgoingAnswer> {
  const headers = { host: to.tlsName };
  return outgoing.send(to, { method: 'GET', path: '/', headers, withinMs: 5000, maxBytes: 1000, ...request });
}

async function failureOf(sent: Promise<unknown>): Promise<OutgoingFailure> {
  const failure = await sent.then(
    () => new Error('was answered'),
    (error: unknown) => error,
  );
  if (failure instanceof OutgoingFailure) return failure;
  throw failure;
}

const answers = (...addresses: string[]): LookupFunction => {
  let calls = 0;
  return (_, options, callback) => {
    const address = addresses[Math.min(calls++, addresses.length - 1)] ?? '';
    const family = address.includes(':') ? 6 : 4;
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
};

it('what is no homeserver public authorities vouch for too where the operator names others, and for nobody else', async () => {
  const service = placeOf(new URL(`https://a.example:${port}`), OF_OPERATOR);
  const ofOthers = { ...service, at: place().at };
  for (const [ca, publicCa, isPublic] of [
    [new TestAuthority().certificate, [AUTHORITY.certificate], true],
    [AUTHORITY.certificate, [new TestAuthority().certificate], false],
  ] as const) {
    await outgoing.onModuleDestroy();
    open({ ca, publicCa });
    expect((await send(ofOthers)).body.toString()).toBe('here');
    const other = send();
    await (isPublic ? expect(other).rejects.toThrow('certificate') : expect(other).resolves.toBeDefined());
  }
});

describe('a request to another server', () => {
  it('asks for the name that the certificate must be for, wherever it connects to', async () => {
    expect((await send()).body.toString()).toBe('here');
    await new Promise(setImmediate);
    await send();
    await send(place('b.example'));
    await send(place('127.0.0.1'));
    // One connection for each name, used again.
    expect(names).toEqual(['a.example', 'b.example', false]);
    expect(requests).toBe(4);
  });

  it.each([
    ['for another name', /altname|alt name/i, () => AUTHORITY.issue(['b.example'])],
    ['of an authority that nobody knows', /certificate/, () => new TestAuthority().issue(['a.example'])],
    [
      'that has ended',
      /expired/,
      () => AUTHORITY.issue(['a.example'], { from: new Date(Date.now() - 2 * DAY), until: new Date(Date.now() - DAY) }),
    ],
  ])('is not made where the certificate is one %s', async (_, why, issue) => {
    const { certificate: cert, key } = issue();
    server.setSecureContext({ cert, key });
    const failure = await failureOf(send());
    expect(failure.message).toMatch(why);
    expect([failure.hasBegun, requests]).toEqual([false, 0]);
  });

  it('tries one place after another until one takes it', async () => {
    const at = [
      { host: '127.0.0.1', port: 1 },
      { host: 'nowhere.invalid', port },
      { host: '127.0.0.1', port },
    ];
    expect((await send({ tlsName: 'a.example', at })).status).toBe(200);
    expect((await failureOf(send({ tlsName: 'a.example', at: at.slice(0, 1) }))).message).toMatch(/ECONNREFUSED/);
    expect((await failureOf(send({ tlsName: 'a.example', at: [] }))).message).toMatch(/nothing to connect to/);
  });

  it('is made again where the connection was closed meanwhile, unless it may not be made twice', async () => {
    answer = ({ socket }, response) => void response.end('here', () => setImmediate(() => socket.destroy()));
    await send();
    answer = (request, response) => {
      if (requests === 2 || requests === 4) request.socket.destroy();
      else response.end('again');
    };
    expect((await send()).body.toString()).toBe('again');
    expect((await failureOf(send(place(), { method: 'POST', body: '{}' }))).hasBegun).toBe(false);
    expect(requests).toBe(4);
  });

  it('is refused with letters that no request has, however often, and others are sent all the same', async () => {
    const unsendable = [{ headers: { host: 'a.example', authorization: 'Bearer \u0000' } }, { path: '/a b' }];
    for (let n = 0; n < 20; n++) await failureOf(send(place(), unsendable[n % 2]));
    expect((await send()).body.toString()).toBe('here');
    expect(requests).toBe(1);
  });

  it('waits no longer than it may for those before it', async () => {
    answer = () => {};
    let ended = 0;
    const held = Array.from({ length: 8 }, () => failureOf(send(place(), { withinMs: 3000 })).then(() => ended++));
    expect((await failureOf(send(place(), { withinMs: 100 }))).isLate).toBe(true);
    expect(ended).toBe(0);
    await Promise.all(held);
  });

  it('follows nobody elsewhere', async () => {
    answer = (_, response) => void response.writeHead(302, { location: `https://127.0.0.1:${port}/` }).end();
    expect(await send()).toMatchObject({ status: 302, headers: { location: `https://127.0.0.1:${port}/` } });
    expect(requests).toBe(1);
  });

  it('ends with the reason of its caller', async () => {
    const ending = new AbortController();
    const reason = new Error('nobody wants it any more');
    answer = () => ending.abort(reason);
    await expect(send(place(), { signal: ending.signal })).rejects.toBe(reason);
    await expect(send(place(), { signal: ending.signal })).rejects.toBe(reason);
    expect(requests).toBe(1);
  });
});

describe('an answer', () => {
  it('may come packed', async () => {
    answer = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed'));
    expect((await send()).body.toString()).toBe('packed');
  });

  it.each<[string, RegExp, typeof answer]>([
    ['is one byte too long', /more than 1000 bytes/, (_, response) => void response.end('x'.repeat(1001))],
    ['never ends', /more than 1000 bytes/, (_, response) => endlessly(response)],
    [
      'is a bomb',
      /more than 1000 bytes/,
      (_, response) =>
        void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000))),
    ],
    [
      'is packed in another way',
      /packed as br/,
      (_, response) => void response.writeHead(200, { 'content-encoding': 'br' }).end('x'),
    ],
    [
      'is packed twice',
      /packed as gzip, gzip/,
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end('x'),
    ],
    [
      'is not packed as it says',
      /incorrect header/,
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('plain'),
    ],
    [
      'breaks off',
      /terminated|closed|aborted/,
      ({ socket }, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x', () => socket.destroy());
      },
    ],
  ])('is none where it %s', async (_, why, say) => {
    answer = say;
    const failure = await failureOf(send());
    expect(failure.message).toMatch(why);
    expect(failure.hasBegun).toBe(true);
  });

  it('that never ends is heard no longer', async () => {
    answer = (_, response) => endlessly(response);
    await failureOf(send());
    await expect.poll(connections).toBe(0);
  });

  it('has the bytes of its reader, to the last', async () => {
    answer = (_, response) => void response.end('x'.repeat(1000));
    expect((await send()).body).toHaveLength(1000);
  });

  it('has to be whole in time, however it trickles', async () => {
    answer = (_, response) => {
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
    };
    const failure = await failureOf(send(place(), { withinMs: 1_000 }));
    expect([failure.message, failure.hasBegun]).toEqual(['no whole answer within 1000 ms', true]);
    answer = () => {};
    const silence = await failureOf(send(place(), { withinMs: 50 }));
    expect([silence.message, silence.hasBegun]).toEqual(['no whole answer within 50 ms', false]);
  });

  it('has a head of some size', async () => {
    answer = (_, response) => void response.writeHead(200, { 'x-long': 'x'.repeat(100_000) }).end();
    expect((await failureOf(send())).message).toMatch(/overflow/i);
  });
});

describe('the guard of addresses', () => {
  it('connects to no address that is none of the Internet', async () => {
    open({ allowPrivate: false });
    const literal = await failureOf(send());
    expect(literal.message).toContain('127.0.0.1 is no address of the Internet');
    const at = ['::1', '::ffff:127.0.0.1', '10.0.0.1'].map((host) => ({ host, port }));
    expect((await failureOf(send({ tlsName: 'a.example', at }))).message).toContain('10.0.0.1 is no address');
  });

  it.each(['127.0.0.1', '::ffff:127.0.0.1', '169.254.169.254', '64:ff9b::7f00:1'])(
    'connects to no name that leads to %s',
    async (address) => {
      open({ allowPrivate: false, lookup: answers(address) });
      const failure = await failureOf(send(place('a.example', 'a.example')));
      expect(failure.message).toContain(`a.example leads to ${address}: no address of the Internet`);
      expect([failure.hasBegun, names]).toEqual([false, []]);
    },
  );

  it('is what a place says of itself, whatever is allowed elsewhere', async () => {
    open({ allowPrivate: true });
    expect((await failureOf(send({ ...place('127.0.0.1'), mayBePrivate: false }))).message).toContain(
      '127.0.0.1 is no address',
    );
    open({ allowPrivate: false });
    expect(await send({ ...place('127.0.0.1'), mayBePrivate: true })).toMatchObject({ status: 200 });
  });

  it('believes no spelling of an address that only the system takes for one', async () => {
    open({ allowPrivate: false });
    for (const host of ['127.1', '0x7f000001', '2130706433', 'localhost']) {
      expect((await failureOf(send(place('a.example', host)))).message).toMatch(
        /no address of the Internet|ENOTFOUND|EAI/,
      );
    }
    expect(names).toEqual([]);
  });

  it('looks at each address as it is connected to, whatever the name led to before', async () => {
    // The first leads to nothing: what matters is that it was let through.
    open({ allowPrivate: false, connectMs: 300, lookup: answers('2a00:dead::1', '127.0.0.1') });
    const rebound = place('a.example', 'a.example');
    expect((await failureOf(send(rebound))).message).not.toContain('no address of the Internet');
    expect((await failureOf(send(rebound))).message).toContain('leads to 127.0.0.1');
    expect(names).toEqual([]);
  });

  it('leaves of several addresses those of the Internet', async () => {
    const both: LookupFunction = (_, __, callback) =>
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '2a00:dead::1', family: 6 },
      ]);
    open({ allowPrivate: false, connectMs: 300, lookup: both });
    expect((await failureOf(send(place('a.example', 'a.example')))).message).not.toContain(
      'no address of the Internet',
    );
    expect(names).toEqual([]);
  });
});

function endlessly(response: ServerResponse): void {
  while (!response.destroyed && response.write('x'.repeat(10_000)));
  response.once('drain', () => endlessly(response));
}

async function connections(): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

describe('an answer that is read as it comes', () => {
  const request = { method: 'GET', path: '/', headers: { host: 'a.example' }, withinMs: 5000, maxBytes: 1000 } as const;
  const lengthOf = async ({ body }: StreamedAnswer): Promise<number> => {
    let bytes = 0;
    for await (const piece of body) bytes += piece.length;
    return bytes;
  };

  it('is given to who takes it, of whatever status, and no more of it than may come', async () => {
    answer = (_, response) => void response.writeHead(404).end(Buffer.alloc(1000));
    expect(await outgoing.stream(place(), request, async (one) => [one.status, await lengthOf(one)])).toEqual([
      404, 1000,
    ]);
    answer = (_, response) => void response.end(Buffer.alloc(1001));
    expect((await failureOf(outgoing.stream(place(), request, lengthOf))).message).toMatch(/more than 1000 bytes/);
  });

  it('is none where it ends too early, takes too long, or is packed', async () => {
    answer = (_, response) =>
      void response.writeHead(200, { 'content-length': 10 }).write('x', () => response.destroy());
    expect((await failureOf(outgoing.stream(place(), request, lengthOf))).hasBegun).toBe(true);
    answer = (_, response) => void response.write('x');
    const late = await failureOf(outgoing.stream(place(), { ...request, withinMs: 1_000 }, lengthOf));
    expect(late.hasBegun).toBe(true);
    answer = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'));
    expect((await failureOf(outgoing.stream(place(), request, lengthOf))).message).toMatch(/packed as gzip/);
  });

  it('may take long as it goes on, and is not waited for where nothing comes', async () => {
    const soon = { ...request, withinMs: 60_000, pauseMs: 2_000 };
    answer = () => {};
    expect((await failureOf(outgoing.stream(place(), soon, lengthOf))).hasBegun).toBe(false);
    answer = (_, response) => void response.write('begun');
    expect((await failureOf(outgoing.stream(place(), soon, lengthOf))).hasBegun).toBe(true);
    answer = (_, response) => {
      let pieces = 0;
      const timer = setInterval(() => {
        if (++pieces < 8) response.write('piece');
        else response.end(() => clearInterval(timer));
      }, 300);
    };
    expect(await outgoing.stream(place(), soon, lengthOf)).toBe(35);
  });

  it('throws what who takes it throws, and is read no further then', async () => {
    let isClosed = false;
    answer = (_, response) => {
      response.on('close', () => (isClosed = true));
      response.write('x');
    };
    const refused = outgoing.stream(place(), request, async ({ body }) => {
      for await (const _ of body) throw new Error('the disk is full');
    });
    await expect(refused).rejects.toThrow('the disk is full');
    await expect.poll(() => isClosed).toBe(true);
  });
});
