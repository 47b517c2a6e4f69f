import { beforeEach, describe, expect, it } from 'vitest';
import { type OutgoingAnswer, OutgoingFailure, type OutgoingRequest } from '#http/outgoing/outgoing';
import type { ServerPlace } from '#http/outgoing/guarded-connector';
import type { ServerName } from '#kernel/ids';
import { Discovery } from './discovery.js';
import { keepFor } from './fetch-well-known.js';
import type { SrvRecord } from './order-srv.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SERVER = 'example.org' as ServerName;

type Say = (url: string) => Partial<OutgoingAnswer> | Error | undefined;

let now: number;
let asked: string[];
let say: Say;
let records: Record<string, readonly SrvRecord[] | string>;
let lookedUp: string[];
let discovery: Discovery;

beforeEach(() => {
  [now, asked, lookedUp, records] = [0, [], [], {}];
  say = () => undefined;
  const send = async ({ tlsName, at }: ServerPlace, { path, headers }: OutgoingRequest): Promise<OutgoingAnswer> => {
    const url = `https://${headers['host']}${path}`;
    expect([tlsName, at[0]?.host]).toEqual(Array(2).fill(new URL(url).hostname));
    asked.push(url);
    const answer = say(url) ?? { status: 404 };
    if (answer instanceof Error) throw answer;
    return { status: 200, headers: {}, body: Buffer.alloc(0), ...answer };
  };
  const resolveSrv = async (name: string): Promise<readonly SrvRecord[]> => {
    lookedUp.push(name);
    const found = records[name] ?? 'ENOTFOUND';
    if (typeof found === 'string') throw Object.assign(new Error(found), { code: found });
    return found;
  };
  discovery = new Discovery({ send } as never, { elapsed: () => now }, resolveSrv);
});

const json = (value: unknown, headers: OutgoingAnswer['headers'] = {}): Partial<OutgoingAnswer> => ({
  headers,
  body: Buffer.from(JSON.stringify(value)),
});
const redirect = (location: string): Partial<OutgoingAnswer> => ({ status: 302, headers: { location } });
const silent = new OutgoingFailure(new Error('connect ETIMEDOUT'), false);

async function where(): Promise<string> {
  const { found } = await discovery.discover(SERVER);
  return found?.place.at.map(({ host, port }) => `${host}:${port}`).join() ?? 'nowhere';
}
async function whyNot(): Promise<string> {
  return (await discovery.discover(SERVER)).steps[0]?.outcome ?? '';
}

describe('what a host says of where its server is', () => {
  it('is asked for once for all, and counts for as long as it says', async () => {
    say = () => json({ 'm.server': 'm.example:443' }, { 'cache-control': 'public, max-age=3600' });
    expect(await Promise.all([where(), where()])).toEqual(['m.example:443', 'm.example:443']);
    expect(asked).toEqual(['https://example.org/.well-known/matrix/server']);
    now = HOUR - 1;
    expect([await where(), asked.length]).toEqual(['m.example:443', 1]);
    now = HOUR;
    say = () => json({ 'm.server': 'n.example:443' });
    expect([await where(), asked.length]).toEqual(['n.example:443', 2]);
    now += 24 * HOUR - 1;
    expect([await where(), asked.length]).toEqual(['n.example:443', 2]);
    now += 1;
    await where();
    expect(asked).toHaveLength(3);
  });

  it.each([
    [undefined, 24 * HOUR],
    ['', 24 * HOUR],
    ['public', 24 * HOUR],
    ['max-age=7200', 2 * HOUR],
    ['Max-Age = 7200, public', 2 * HOUR],
    ['max-age="7200"', 2 * HOUR],
    ['s-maxage=1', 24 * HOUR],
    ['max-age=999999999999', 48 * HOUR],
    ['max-age=0', 5 * MINUTE],
    ['no-store', 5 * MINUTE],
    ['max-age=7200, no-cache', 5 * MINUTE],
    [['public', 'max-age=7200'], 2 * HOUR],
  ])('counts by its Cache-Control: %s', (header, ms) => expect(keepFor(header)).toBe(ms));

  it.each<[string, Partial<OutgoingAnswer>]>([
    ['answers 404', { status: 404, body: Buffer.from('{"m.server":"m.example:443"}') }],
    ['answers 500', { status: 500 }],
    ['is no JSON', { body: Buffer.from('<html>') }],
    ['has no m.server', json({})],
    ['has no m.server', json(['m.server'])],
    ['has no m.server', json({ 'm.server': 1 })],
    ['m.server is no server name', json({ 'm.server': 'https://m.example' })],
    ['m.server is no server name', json({ 'm.server': 'm.example:99999' })],
    ['m.server is no server name', json({ 'm.server': '' })],
    ['leads nowhere', { status: 302 }],
    ['leads nowhere', redirect('https://[')],
    ['is not served over HTTPS', redirect('http://example.org/.well-known/matrix/server')],
    ['is not served over HTTPS', redirect('file:///etc/passwd')],
  ])('is nothing where it %s, for an hour', async (why, answer) => {
    say = () => answer;
    expect(await whyNot()).toContain(why);
    expect(await where()).toBe('example.org:8448');
    now = HOUR - 1;
    await where();
    expect(asked).toHaveLength(1);
    now = HOUR;
    await where();
    expect(asked).toHaveLength(2);
  });

  it('may be elsewhere, some steps further', async () => {
    say = (url) => {
      const hop = Number(/hop(\d)/.exec(url)?.[1] ?? 0);
      return hop === 5
        ? json({ 'm.server': 'm.example:1' })
        : redirect(`https://hop${hop + 1}.example:8443/x?y=${hop}`);
    };
    expect(await where()).toBe('m.example:1');
    expect(asked).toHaveLength(6);
    expect(asked[1]).toBe('https://hop1.example:8443/x?y=0');
  });

  it('is nothing where it leads round and round', async () => {
    say = () => redirect('/again');
    expect(await whyNot()).toContain('led on more than 5 times');
    expect(asked).toHaveLength(6);
  });

  it.each([{ 'm.server': `${'x'.repeat(40_000)}/` }, { 'm.server': 'm.example:443' }, { 'm.server': 7 }])(
    'is remembered in few words, however long it is, and the way to it',
    async (said) => {
      say = (url) => (url.includes('?') ? json(said) : redirect(`https://o.example/m?${'y'.repeat(40_000)}`));
      await where();
      const { steps } = await discovery.discover(SERVER);
      expect(asked).toHaveLength(2);
      expect(Math.max(...steps.map(({ outcome }) => outcome.length))).toBeLessThan(600);
    },
  );

  it('is nothing where the host can be in no URL', async () => {
    const { found, steps } = await discovery.discover('99999999999999999999' as ServerName);
    expect(steps[0]?.outcome).toContain('is no URL');
    expect([found?.place.tlsName, asked]).toEqual(['99999999999999999999', []]);
  });

  it('is asked for more and more rarely where the host does not answer', async () => {
    say = () => silent;
    expect(await whyNot()).toContain('ETIMEDOUT');
    const pauses = [5, 10, 20, 40, 60, 60];
    for (const [index, pause] of pauses.entries()) {
      now += pause * MINUTE - 1;
      await where();
      expect(asked).toHaveLength(index + 1);
      now += 1;
      await where();
      expect(asked).toHaveLength(index + 2);
    }
  });

  it('counts on while the host does not answer, for two days', async () => {
    say = () => json({ 'm.server': 'm.example:443' }, { 'cache-control': 'max-age=3600' });
    await where();
    say = () => silent;
    now = HOUR;
    expect(await where()).toBe('m.example:443');
    expect(await whyNot()).toContain('60 minutes ago it said m.example:443, which still counts');
    now = 47 * HOUR;
    expect(await where()).toBe('m.example:443');
    now = 49 * HOUR;
    expect(await where()).toBe('example.org:8448');
  });

  it('counts no more where the host takes it back', async () => {
    say = () => json({ 'm.server': 'm.example:443' }, { 'cache-control': 'max-age=3600' });
    await where();
    say = () => ({ status: 404 });
    now = HOUR;
    expect(await where()).toBe('example.org:8448');
  });

  it('is asked for anew where the server that it leads to does not answer', async () => {
    say = () => json({ 'm.server': 'm.example:443' });
    await where();
    now = 9 * MINUTE;
    discovery.doubt(SERVER);
    expect([await where(), asked.length]).toEqual(['m.example:443', 1]);
    say = () => json({ 'm.server': 'n.example:443' });
    now = 10 * MINUTE;
    expect([await where(), asked.length]).toEqual(['n.example:443', 2]);
  });
});

describe('SRV records', () => {
  it('are looked up again after ten minutes', async () => {
    records = { '_matrix-fed._tcp.example.org': [{ name: 'a.example', port: 1, priority: 0, weight: 0 }] };
    expect(await where()).toBe('a.example:1');
    records = {};
    now = 10 * MINUTE - 1;
    expect([await where(), lookedUp.length]).toEqual(['a.example:1', 1]);
    now = 10 * MINUTE;
    expect(await where()).toBe('example.org:8448');
  });

  it('name several places, of which four are tried', async () => {
    const names = ['f', 'e', 'd', 'c', 'b', 'a'];
    const found = names.map((name, index) => ({ name, port: 1, priority: 10 - index, weight: 0 }));
    records = { '_matrix._tcp.example.org': found };
    expect(await where()).toBe('a:1,b:1,c:1,d:1');
  });

  it('may say that there is no such service', async () => {
    records = { '_matrix-fed._tcp.example.org': [{ name: '', port: 0, priority: 0, weight: 0 }] };
    expect(await where()).toBe('nowhere');
  });

  it('that cannot be found out are none, and that is said', async () => {
    records = { '_matrix-fed._tcp.example.org': 'ESERVFAIL' };
    const { steps } = await discovery.discover(SERVER);
    expect(steps[1]).toEqual({ step: '4', outcome: '_matrix-fed._tcp.example.org: not found out (ESERVFAIL)' });
    expect(await where()).toBe('example.org:8448');
  });
});
