import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { Disk } from '#testing/mortal-stores';
import type { FoundMedia, RemoteMedia } from '../src/remote-media.js';
import { type CoreOptions, filesIn, type MediaCore, piecesOf, startMediaCore, theirs } from './media-core.js';

const root = mkdtempSync(join(tmpdir(), 'annals-media-cache-'));
const cores: MediaCore[] = [];
/** While a test moves the time. */
const POLL = { interval: 1 };
let count = 0;

async function start(options: Pick<CoreOptions, 'remote' | 'settings'> = {}): Promise<MediaCore & { folder: string }> {
  const folder = join(root, String(++count));
  const core = await startMediaCore({ disk: Disk.empty(), folder, ...options });
  cores.push(core);
  return { ...core, folder };
}

/** Other servers that answer as told, and tell how often they were asked. */
function answering(answer: () => Promise<FoundMedia>): RemoteMedia & { asked: number } {
  const remote = {
    asked: 0,
    async fetch<T>(...[, , take]: Parameters<RemoteMedia['fetch']>): Promise<T> {
      remote.asked++;
      return take(await answer()) as Promise<T>;
    },
  };
  return remote;
}

afterEach(async () => {
  vi.useRealTimers();
  for (const core of cores.splice(0)) await core.views.stop();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('media of other servers', () => {
  it('stay while their content is in quarantine, do not count then, and are found again once it is released', async () => {
    const core = await start({ settings: { ANNALS_MEDIA_CACHE: '10' } });
    for (const id of ['one', 'two', 'three']) core.texts.set(id, id.padEnd(8, '.'));
    const { sha256 } = await core.find(theirs('one'));
    await core.quarantine(sha256);
    await expect(core.find(theirs('one'))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' });
    for (const id of ['two', 'three']) await core.find(theirs(id));
    // The second came before the third, whatever they are called.
    await expect
      .poll(async () => [await core.here(theirs('two')), filesIn(core.folder, 'content').length])
      .toEqual([undefined, 2]);
    expect(await core.room.dropBefore(Infinity)).toBe(1);
    expect(await core.read(sha256)).toBe('one.....');
    await core.release(sha256);
    expect((await core.find(theirs('one'))).sha256).toBe(sha256);
    expect(core.asked).toEqual(['one', 'two', 'three']);
  });

  it('are fetched once where what they hold is in quarantine, are not there, and leave nothing', async () => {
    const core = await start();
    const { sha256, bytes } = (await core.here(await core.upload('forbidden')))!;
    await core.quarantine(sha256);
    core.texts.set('same', 'forbidden');
    for (let i = 0; i < 3; i++)
      await expect(core.find(theirs('same'))).rejects.toMatchObject({ errcode: 'M_NOT_FOUND', status: 404 });
    expect([core.asked, filesIn(core.folder, 'incoming')]).toEqual([['same'], []]);
    await core.release(sha256);
    expect(await core.find(theirs('same'))).toMatchObject({ sha256, bytes });
  });

  it('that are too large are not read where their server says so, and not asked for again at once', async () => {
    let read = 0;
    const remote = answering(async () => ({
      body: (async function* () {
        for (;;) yield Buffer.alloc(++read);
      })(),
      atLeast: 1001,
    }));
    const core = await start({ remote, settings: { ANNALS_MEDIA_MAX_UPLOAD: '1000' } });
    for (let i = 0; i < 3; i++)
      await expect(core.find(theirs('large'))).rejects.toMatchObject({ errcode: 'M_TOO_LARGE', status: 502 });
    expect([remote.asked, read]).toEqual([1, 0]);
  });

  it('are not asked for again at once where their server refuses them, and are a minute later', async () => {
    const long = 'x'.repeat(60_000);
    const refusal = new PeerRefused(403, { errcode: 'M_FORBIDDEN', error: long, more: long });
    const remote = answering(() => Promise.reject(refusal));
    const core = await start({ remote });
    for (let i = 0; i < 3; i++)
      await expect(core.find(theirs('mine'))).rejects.toMatchObject({ status: 403, errcode: 'M_FORBIDDEN' });
    expect(remote.asked).toBe(1);
    core.time.laterMs = 61_000;
    await expect(core.find(theirs('mine'))).rejects.toBeInstanceOf(PeerRefused);
    expect(remote.asked).toBe(2);
  });

  it('of a server that gives none are waited for by so many, and not for ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const remote = answering(() => new Promise(() => {}));
    const core = await start({ remote });
    const user = (i: number): UserId => `@u${i % 3}:a.example` as UserId;
    const waiting = Array.from({ length: 204 }, (_, i) =>
      core.find(theirs(`m${i}`), 0, user(i)).catch((error: unknown) => error),
    );
    await expect.poll(() => remote.asked, POLL).toBe(4);
    await expect(core.find(theirs('more'))).rejects.toBeInstanceOf(PeerUnavailable);
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await Promise.all(waiting.slice(4))).every((error) => error instanceof PeerUnavailable)).toBe(true);
    expect(remote.asked).toBe(4);
    // There is place again for who comes then.
    void core.find(theirs('later')).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('are brought for one user so many at a time, of whatever servers, and for others meanwhile', async () => {
    const remote = answering(() => new Promise(() => {}));
    const core = await start({ remote });
    for (let i = 0; i < 100; i++) void core.find(theirs('m', `s${i}.example`)).catch(() => {});
    await expect.poll(() => remote.asked).toBe(100);
    const more = core.find(theirs('m', 'more.example'));
    await expect(more).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 5_000 } });
    // Who waits for what another one waits for adds nothing to it.
    void core.find(theirs('m', 's0.example')).catch(() => {});
    void core.find(theirs('m', 'more.example'), 0, '@bob:a.example' as UserId).catch(() => {});
    await expect.poll(() => remote.asked).toBe(101);
  });

  it('of another server come meanwhile', async () => {
    const remote: RemoteMedia = {
      fetch: ({ server }, _, take) =>
        server === 'slow.example' ? new Promise(() => {}) : take({ body: piecesOf('quick') }),
    };
    const core = await start({ remote });
    for (let i = 0; i < 10; i++) void core.find(theirs(`m${i}`, 'slow.example')).catch(() => {});
    expect(await core.find(theirs('quick'))).toMatchObject({ bytes: 5 });
  });
});
