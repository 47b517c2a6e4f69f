import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BundledScript, bundleScript } from '#testing/start-script';
import { positionOf } from './counted-position.js';
import type { EventStore } from '../event-store.js';
import { factId } from '../fact-id.js';
import { sealFacts } from '../seal-facts.js';
import type { CommitHoldsOptions } from './commit-holds.js';
import { copyLog } from './copy-log.js';
import { openLmdbEventStore } from './lmdb-event-store.js';
import { CommitsNotHeld, openBesideWriter } from './open-beside-writer.js';
import { takeWriterLock } from './writer-lock.js';

/** Where a commit waits for no disk there are many, and each may meet an opener. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const scripts: BundledScript[] = [];
let opener: string;
let writer: string;
beforeAll(async () => {
  for (const name of ['endless-opener', 'endless-writer'])
    scripts.push(await bundleScript(`libs/event-store/src/lmdb/${name}.ts`));
  [opener, writer] = scripts.map(({ path }) => path) as [string, string];
});
afterAll(async () => {
  for (const script of scripts) await script.remove();
});

let directory: string;
let children: ChildProcess[];
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(MEMORY, 'annals-beside-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const close of closing.splice(0)) await close();
  rmSync(directory, { recursive: true });
});

function start(script: string, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [script, directory, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function openToWrite(options: CommitHoldsOptions = {}): Promise<EventStore> {
  const store = await openLmdbEventStore(directory, options);
  closing.push(() => store.close());
  return store;
}

let appended = 0;
/** Appends one fact, and says how that stands. */
function append(store: EventStore): { isDone: boolean; readonly done: Promise<void> } {
  const id = factId(String(++appended));
  const facts = sealFacts(undefined, [{ id, type: 'said', data: '{}', at: 0, actor: 'server' }]);
  const state = {
    isDone: false,
    done: store.append(`stream-${appended}`, 'no-stream', facts).then(() => {
      state.isDone = true;
    }),
  };
  return state;
}

/** What is opened, which tells whether it was closed. */
function opening(open: () => unknown): { open(): Promise<unknown>; close(): Promise<void>; readonly calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    open: async () => {
      calls.push('open');
      await open();
    },
    close: async () => void calls.push('close'),
  };
}

describe('opening the log beside who writes it', () => {
  it('loses nothing and ends nobody, however often it is opened', async () => {
    const writing = start(writer);
    const acknowledged = new Map<string, string>();
    createInterface({ input: writing.stdout! }).on('line', (line) => {
      const [id, position] = line.split(' ') as [string, string];
      acknowledged.set(id, position);
    });
    await expect.poll(() => acknowledged.size).toBeGreaterThan(0);
    let opened = 0;
    const openers = [start(opener), start(opener)];
    for (const each of openers) createInterface({ input: each.stdout! }).on('line', () => opened++);
    await expect.poll(() => opened).toBeGreaterThan(1000);
    for (const child of [...openers, writing]) {
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    const store = await openToWrite();
    const there = new Map<string, string>();
    for await (const facts of store.readAll({ after: positionOf(0) }))
      for (const { id, position } of facts) there.set(id, position);
    expect([...acknowledged].filter(([id, position]) => there.get(id) !== position)).toEqual([]);
  }, 120_000);

  it('has what is appended wait, and acknowledged after that', async () => {
    const store = await openToWrite();
    await append(store).done;
    let waiting: ReturnType<typeof append> | undefined;
    const { open, close, calls } = opening(async () => {
      waiting = append(store);
      await delay(150);
      expect(waiting.isDone).toBe(false);
    });
    await openBesideWriter(directory, { open, close });
    await waiting!.done;
    expect(calls).toEqual(['open']);
  });

  it('waits for what is on its way', async () => {
    const store = await openToWrite();
    const before = append(store);
    const { open, close } = opening(() => expect(before.isDone).toBe(true));
    await openBesideWriter(directory, { open, close });
  });

  it('lets go where who opens it is killed', async () => {
    const told: string[] = [];
    const store = await openToWrite({ onHeldTooLong: (message) => told.push(message), holdMs: 60_000 });
    await append(store).done;
    const holding = start(opener, 'hold');
    await once(holding.stdout!, 'data');
    const waiting = append(store);
    await delay(150);
    expect(waiting.isDone).toBe(false);
    holding.kill('SIGKILL');
    await waiting.done;
    expect(told).toEqual([]);
  });

  it('lets go where it cannot be opened', async () => {
    const store = await openToWrite();
    const open = (): never => {
      throw new Error('it is not as it was');
    };
    await expect(openBesideWriter(directory, { open, close: async () => {} })).rejects.toThrow('not as it was');
    await append(store).done;
  });

  it('goes on after a while, says so, and is not left open', async () => {
    const told: string[] = [];
    const store = await openToWrite({ onHeldTooLong: (message) => told.push(message), holdMs: 100 });
    const { open, close, calls } = opening(() => append(store).done);
    await expect(openBesideWriter(directory, { open, close })).rejects.toThrow(CommitsNotHeld);
    expect(calls).toEqual(['open', 'close']);
    expect(told).toEqual([expect.stringContaining('have waited for 100 ms')]);
  });

  it('is not done where who writes it does not answer, or only ends the connection', async () => {
    for (const isSilent of [true, false]) {
      const server = createServer((socket) => void (isSilent ? socket.resume() : socket.destroy()));
      server.listen(join(directory, 'writer-1-0a.sock'));
      await once(server, 'listening');
      const { open, close, calls } = opening(() => {});
      await expect(openBesideWriter(directory, { open, close }, 200)).rejects.toThrow('nothing was opened');
      expect(calls).toEqual([]);
      server.close();
      await once(server, 'close');
    }
  });

  it('is not left open where who writes it falls silent meanwhile', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (word) => {
        socket.write(word);
        socket.resume();
      });
    });
    server.listen(join(directory, 'writer-1-0a.sock'));
    await once(server, 'listening');
    const { open, close, calls } = opening(() => {});
    await expect(openBesideWriter(directory, { open, close }, 2_000)).rejects.toThrow('does not answer any more');
    expect(calls).toEqual(['open', 'close']);
    server.close();
    await once(server, 'close');
  });

  it('does not keep who writes it from closing, however often it is opened', async () => {
    const store = await openToWrite();
    let opened = 0;
    const over = new AbortController();
    const openers = [1, 2, 3].map(async () => {
      while (!over.signal.aborted) {
        await openBesideWriter(directory, { open: () => delay(20), close: async () => {} });
        opened++;
      }
    });
    await expect.poll(() => opened).toBeGreaterThan(6);
    const closed = await Promise.race([
      store.close().then(() => 'closed'),
      delay(60_000, 'still open', { ref: false }),
    ]);
    over.abort();
    await Promise.all(openers);
    expect(closed).toBe('closed');
  });

  it('is copied while it is held, too', async () => {
    const store = await openToWrite();
    await append(store).done;
    const copy = mkdtempSync(join(tmpdir(), 'annals-beside-copy-'));
    closing.push(async () => rmSync(copy, { recursive: true }));
    const server = createServer((socket) => void socket.destroy());
    await copyLog(directory, join(copy, 'first'));
    server.listen(join(directory, 'writer-1-0a.sock'));
    await once(server, 'listening');
    const copying = copyLog(directory, join(copy, 'second'));
    await expect(Promise.race([copying, delay(300, 'waits')])).resolves.toBe('waits');
    server.close();
    await copying;
  });
});

describe('opening the log while somebody begins to write it', () => {
  it('has them wait', async () => {
    let lock: Promise<unknown> | undefined;
    let isTaken = false;
    const { open, close } = opening(async () => {
      lock = takeWriterLock(directory).then(async (taken) => {
        isTaken = true;
        await taken.release();
      });
      await delay(150);
      expect(isTaken).toBe(false);
    });
    await openBesideWriter(directory, { open, close });
    await lock;
    expect(isTaken).toBe(true);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('has them wait where nothing else is done meanwhile, and begin then', async () => {
    const blocking = start(opener, 'block');
    await once(blocking.stdout!, 'data');
    let isTaken = false;
    const taking = takeWriterLock(directory).finally(() => (isTaken = true));
    await delay(150);
    expect(isTaken).toBe(false);
    await (await taking).release();
  });

  it('has them wait for a while, and say who opens it', async () => {
    const open = (): Promise<void> =>
      expect(takeWriterLock(directory, { beginMs: 100 })).rejects.toThrow(`another process (${process.pid}), for too`);
    await openBesideWriter(directory, { open, close: async () => {} });
  });

  it('has them wait also where they may not ask, for a while, and name the socket', async () => {
    const path = join(directory, 'opener-1-0a.sock');
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    chmodSync(path, 0);
    // To root nothing is forbidden.
    const isRoot = process.geteuid!() === 0;
    chownSync(directory, isRoot ? 65_534 : process.geteuid!(), process.getegid!());
    if (isRoot) process.seteuid!(65_534);
    try {
      await expect(takeWriterLock(directory, { beginMs: 100 })).rejects.toThrow(path);
      let isTaken = false;
      const taking = takeWriterLock(directory).finally(() => (isTaken = true));
      await delay(150);
      expect(isTaken).toBe(false);
      server.close();
      await (await taking).release();
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  it('waits until they hold their commits', async () => {
    const lock = await takeWriterLock(directory);
    const { open, close, calls } = opening(() => {});
    const opened = openBesideWriter(directory, { open, close });
    await delay(150);
    expect(calls).toEqual([]);
    const alone = vi.fn((run: () => Promise<void>) => run());
    lock.serve(alone);
    await opened;
    expect(alone).toHaveBeenCalledOnce();
    await lock.release();
  });

  it('is done where they give up', async () => {
    const lock = await takeWriterLock(directory);
    const { open, close, calls } = opening(() => {});
    const opened = openBesideWriter(directory, { open, close });
    await delay(50);
    await lock.release();
    await opened;
    expect(calls).toEqual(['open']);
  });

  it('is not taken for done by who was killed in the middle of it', async () => {
    const holding = start(opener, 'hold');
    await once(holding.stdout!, 'data');
    holding.kill('SIGKILL');
    await once(holding, 'exit');
    expect(readdirSync(directory)).toHaveLength(1);
    await (await takeWriterLock(directory)).release();
    expect(readdirSync(directory)).toEqual([]);
  });
});
