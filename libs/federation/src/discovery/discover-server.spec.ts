import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { type Discovered, discoverServer } from './discover-server.js';

interface World {
  /** What hosts say of where their server is. */
  readonly wellKnown?: Readonly<Record<string, string>>;
  readonly srv?: Readonly<Record<string, readonly [host: string, port: number]>>;
  /** Records that say that there is no such service. */
  readonly refused?: string;
}

function discover(server: string, { wellKnown = {}, srv = {}, refused }: World = {}): Promise<Discovered> {
  return discoverServer(server as ServerName, {
    wellKnown: (host) =>
      Promise.resolve({ delegated: wellKnown[host] as ServerName | undefined, outcome: wellKnown[host] ?? 'nothing' }),
    srv: (name) => {
      const [host, port] = srv[name] ?? [];
      const at = host === undefined ? [] : [{ host, port: port ?? 0 }];
      return Promise.resolve({ at, isRefused: name === refused, outcome: host ?? 'none' });
    },
  });
}

/** Where it leads, with which certificate and which `Host`, after which steps. */
async function routeOf(server: string, world?: World): Promise<readonly string[]> {
  const { found, steps } = await discover(server, world);
  const walked = steps.map(({ step }) => step).join(' ');
  if (found === undefined) return ['nowhere', walked];
  const { place, host } = found;
  return [place.at.map((at) => `${at.host} ${at.port}`).join(), place.tlsName, host, walked];
}

/** By the numbers of "Resolving server names". */
describe('finding a server', () => {
  it('1: that is an IP address', async () => {
    expect(await routeOf('1.2.3.4')).toEqual(['1.2.3.4 8448', '1.2.3.4', '1.2.3.4', '1']);
    expect(await routeOf('1.2.3.4:99')).toEqual(['1.2.3.4 99', '1.2.3.4', '1.2.3.4:99', '1']);
    expect(await routeOf('[2a00::1]')).toEqual(['2a00::1 8448', '2a00::1', '[2a00::1]', '1']);
    expect(await routeOf('[2a00::1]:99')).toEqual(['2a00::1 99', '2a00::1', '[2a00::1]:99', '1']);
  });

  it('2: that names a port, whatever else there is', async () => {
    const world: World = {
      wellKnown: { 'example.org': 'other.example' },
      srv: { '_matrix-fed._tcp.example.org': ['srv.example', 1] },
    };
    expect(await routeOf('example.org:99', world)).toEqual(['example.org 99', 'example.org', 'example.org:99', '2']);
  });

  it('3.1: that is elsewhere, at an IP address', async () => {
    const to = (delegated: string) => routeOf('example.org', { wellKnown: { 'example.org': delegated } });
    expect(await to('1.2.3.4')).toEqual(['1.2.3.4 8448', '1.2.3.4', '1.2.3.4', '3 3.1']);
    expect(await to('1.2.3.4:443')).toEqual(['1.2.3.4 443', '1.2.3.4', '1.2.3.4:443', '3 3.1']);
    expect(await to('[2a00::1]:443')).toEqual(['2a00::1 443', '2a00::1', '[2a00::1]:443', '3 3.1']);
  });

  it('3.2: that is elsewhere, at a port', async () => {
    const world: World = {
      wellKnown: { 'example.org': 'm.example.org:443', 'm.example.org': 'further.example:1' },
      srv: { '_matrix-fed._tcp.m.example.org': ['srv.example', 1] },
    };
    expect(await routeOf('example.org', world)).toEqual([
      'm.example.org 443',
      'm.example.org',
      'm.example.org:443',
      '3 3.2',
    ]);
  });

  it('3.3: that is elsewhere, by a record of there', async () => {
    const world: World = {
      wellKnown: { 'example.org': 'm.example.org' },
      srv: { '_matrix-fed._tcp.m.example.org': ['srv.example', 443], '_matrix._tcp.m.example.org': ['old.example', 1] },
    };
    expect(await routeOf('example.org', world)).toEqual(['srv.example 443', 'm.example.org', 'm.example.org', '3 3.3']);
  });

  it('3.4: that is elsewhere, by a record as they were', async () => {
    const world: World = {
      wellKnown: { 'example.org': 'm.example.org' },
      srv: { '_matrix._tcp.m.example.org': ['old.example', 443], '_matrix-fed._tcp.example.org': ['not.here', 1] },
    };
    expect(await routeOf('example.org', world)).toEqual([
      'old.example 443',
      'm.example.org',
      'm.example.org',
      '3 3.3 3.4',
    ]);
  });

  it('3.5: that is elsewhere, and says no more', async () => {
    const world: World = { wellKnown: { 'example.org': 'm.example.org' } };
    expect(await routeOf('example.org', world)).toEqual([
      'm.example.org 8448',
      'm.example.org',
      'm.example.org',
      '3 3.3 3.4 3.5',
    ]);
  });

  it('4: by a record, with a certificate for its own name', async () => {
    const world: World = { srv: { '_matrix-fed._tcp.example.org': ['srv.example', 443] } };
    expect(await routeOf('example.org', world)).toEqual(['srv.example 443', 'example.org', 'example.org', '3 4']);
  });

  it('5: by a record as they were', async () => {
    const world: World = { srv: { '_matrix._tcp.example.org': ['srv.example', 443] } };
    expect(await routeOf('example.org', world)).toEqual(['srv.example 443', 'example.org', 'example.org', '3 4 5']);
  });

  it('6: that says nothing', async () => {
    expect(await routeOf('example.org')).toEqual(['example.org 8448', 'example.org', 'example.org', '3 4 5 6']);
  });

  it('leads nowhere where a record says that there is no such service', async () => {
    expect(await routeOf('example.org', { refused: '_matrix-fed._tcp.example.org' })).toEqual(['nowhere', '3 4']);
  });

  it('leads nowhere where a name is none', async () => {
    expect(await routeOf('example.org:99999')).toEqual(['nowhere', '1']);
    expect(await routeOf('[:::]')).toEqual(['nowhere', '1']);
  });
});
