import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { annals } from './support/annals.js';
import { readFiles } from './support/files-with.js';
import { type Client, Homeserver, WITHOUT_PRESENCE } from './support/homeserver.js';
import { keepTalking } from './support/keep-talking.js';
import { describeEmbedded } from './support/stores.js';

// Servers and commands are started.
vi.setConfig({ testTimeout: 180_000 });

/** Of this no four letters are familiar to the log: where it is kept, it is kept as it is. */
const MARK = 'jwqzvkxpzgfb';
const MESSAGES = 120;
/** What differs by when it is asked for, or by what others say meanwhile. */
const PASSING = new Set(['age', 'next_batch', 'prev_batch', 'start', 'end']);

describeEmbedded('views that are renewed', 'what was erased is to be in no file', () => {
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let roomId: string;
  let noise: string;
  const room = (more: string): string => `/rooms/${encodeURIComponent(roomId)}/${more}`;

  beforeAll(async () => {
    server = await Homeserver.start({ env: WITHOUT_PRESENCE });
    [alice, bob] = [await server.register('alice'), await server.register('bob')];
    roomId = await alice.createRoom({ preset: 'public_chat', name: 'The pub' });
    noise = await bob.createRoom({});
    await bob.ok('POST', room('join'), {});
    const secret: string[] = [];
    for (let n = 0; n < MESSAGES; n++) {
      const text = n % 3 === 0 ? `${n} ${MARK} ${MARK}${n}` : `beer ${n} ${'and more of it '.repeat(n)}`;
      const eventId = await (n % 2 === 0 ? alice : bob).send(roomId, text);
      if (n % 3 === 0) secret.push(eventId);
    }
    for (const [n, eventId] of secret.entries()) await alice.ok('PUT', room(`redact/${eventId}/${n}`), {});
  });
  afterAll(() => server.remove());

  /** The files of the data folder in which it stands, and how often. */
  const placesOfMark = (): string[] => {
    const places: string[] = [];
    for (const [path, bytes] of readFiles(server.directory)) {
      const count = bytes.toString('latin1').split(MARK).length - 1;
      if (count > 0) places.push(`${relative(server.directory, path)}: ${count}`);
    }
    return places;
  };

  /** What people are told of the room, in every way. */
  const answers = async (): Promise<string> => {
    const filter = encodeURIComponent(JSON.stringify({ room: { rooms: [roomId], timeline: { limit: 50 } } }));
    const search = {
      search_categories: { room_events: { search_term: 'beer', filter: { rooms: [roomId], limit: 50 } } },
    };
    const told = [
      await alice.ok('GET', `/sync?filter=${filter}`),
      await alice.ok('GET', room(`messages?dir=b&limit=${MESSAGES * 3}`)),
      await bob.ok('GET', room('state')),
      await bob.ok('GET', room('members')),
      await alice.ok('POST', '/search', search),
    ];
    return JSON.stringify(told, (key, value: unknown) => (PASSING.has(key) ? undefined : value));
  };

  /** Beside the note of how they were closed, and the socket of who writes them. */
  const files = (): string[] =>
    readdirSync(join(server.directory, 'views')).filter((name) => name !== 'last-end.json' && !name.endsWith('.sock'));

  test('hold no byte of what was redacted, answer as before, and that while people speak', async () => {
    const before = await answers();
    expect(before).toContain('beer');
    expect(before).not.toContain(MARK);
    // The log has seen to itself by then.
    await expect.poll(() => placesOfMark().filter((place) => place.startsWith('log'))).toEqual([]);
    expect(placesOfMark()).toEqual([expect.stringMatching(/^views\/data\.mdb: \d+/)]);
    const talk = keepTalking(noise, { bob });
    await talk.hasSaid(20);
    const renewed = annals(server, 'views', 'renew');
    const done = new AbortController();
    void renewed.then(() => done.abort());
    while (!done.signal.aborted) expect(await answers()).toBe(before);
    expect(await renewed).toEqual({ code: 0, output: expect.stringMatching(/the views are renewed, in \d+\.\d s: .* and were /) }); // prettier-ignore
    expect(placesOfMark()).toEqual([]);
    expect(files()).toEqual(['renewed-1']);
    await talk.hasSaid(talk.said.length + 20);
    await talk.end();
    expect(await answers()).toBe(before);
    const said = await bob.ok('GET', `/rooms/${encodeURIComponent(noise)}/messages?dir=b&limit=10000`);
    const bodies = said.chunk.map(({ content }: { content: { body?: string } }) => content.body).filter(Boolean);
    expect(bodies.toReversed()).toEqual(talk.said);
    const metrics = (await server.request('GET', '/metrics')).text;
    expect(metrics).toMatch(/^annals_views_renewed_bytes [1-9]\d+$/m);
    expect(metrics).toMatch(/^annals_views_renewed_timestamp_seconds 1[.\d]+(e\+9)?$/m);
    await server.restart();
    expect(await answers()).toBe(before);
    expect(placesOfMark()).toEqual([]);
  });

  test('are whole whenever the server is killed meanwhile', async () => {
    const before = await answers();
    for (const ms of [0, 50, 100, 150, 200]) {
      const renewing = annals(server, 'views', 'renew');
      await expect.poll(files, { interval: 2 }).toContain('renewal');
      await delay(ms);
      await server.end('SIGKILL');
      await renewing;
      await server.start();
      expect(await answers()).toBe(before);
      expect(files()).toHaveLength(1);
    }
    expect((await annals(server, 'verify')).code).toBe(0);
    expect((await annals(server, 'views', 'renew')).code).toBe(0);
    expect(await answers()).toBe(before);
  });

  test('say which projections have yet to come by what was erased, and hold it', async () => {
    const eventId = await alice.send(roomId, `while one stands still ${MARK}`);
    expect((await annals(server, 'projections', 'pause', 'search', '--reason', 'a test')).code).toBe(0);
    await alice.ok('PUT', room(`redact/${eventId}/paused`), {});
    expect(await annals(server, 'views', 'renew')).toEqual({ code: 1, output: expect.stringMatching(/the views are renewed.*\n.*\(search\)/) }); // prettier-ignore
    expect((await annals(server, 'projections', 'resume', 'search')).code).toBe(0);
    const { code, output } = await annals(server, 'views', 'renew', '--json');
    expect([code, JSON.parse(output)]).toMatchObject([0, { behind: [] }]);
    expect(placesOfMark()).toEqual([]);
  });

  test('are renewed while the server is stopped, too, and hold no byte in what served before', async () => {
    const eventId = await alice.send(roomId, `while it served ${MARK}`);
    expect((await annals(server, 'projections', 'rebuild', 'timeline')).code).toBe(0);
    await alice.ok('PUT', room(`redact/${eventId}/stopped`), {});
    const before = await answers();
    await server.end();
    expect(placesOfMark()).toEqual([expect.stringMatching(/^views/)]);
    const { code, output } = await annals(server, 'views', 'renew', '--json');
    expect([code, JSON.parse(output)]).toMatchObject([0, { bytesAfter: expect.any(Number) }]);
    expect(placesOfMark()).toEqual([]);
    await server.start();
    expect(await answers()).toBe(before);
    for (const name of await namesOfProjections()) {
      const { code: differs, output: rebuilt } = await annals(server, 'projections', 'rebuild', name);
      expect([name, differs, rebuilt]).toEqual([name, 0, rebuilt]);
    }
    expect(await answers()).toBe(before);
  });

  const namesOfProjections = async (): Promise<string[]> => {
    const { output } = await annals(server, 'projections', 'list', '--json');
    const names = output.trim().split('\n').map((line) => (JSON.parse(line) as { name: string }).name); // prettier-ignore
    return names.filter((name) => ['timeline', 'room-state', 'search', 'erasures'].includes(name));
  };

  test('are renewed by the server itself, once after what was redacted', async () => {
    const eventId = await alice.send(roomId, `once more ${MARK}`);
    await expect.poll(placesOfMark).toContainEqual(expect.stringMatching(/^views/));
    await alice.ok('PUT', room(`redact/${eventId}/again`), {});
    const before = files();
    await server.end();
    server.set({ ANNALS_RENEW_VIEWS_EVERY: '1s' });
    await server.start();
    await expect.poll(placesOfMark).toEqual([]);
    // The folder of the old file goes a moment after that.
    await expect.poll(files).toEqual([expect.stringMatching(/^renewed-\d+$/)]);
    const renewed = files();
    expect(renewed).not.toEqual(before);
    await server.restart();
    await delay(3000);
    expect(files()).toEqual(renewed);
  });
});
