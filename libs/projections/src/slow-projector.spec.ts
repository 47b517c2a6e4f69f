import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { MemoryReadModels } from '#testing/memory-read-models';
import { SpokenLog } from '#testing/spoken-log';
import { Disk, MortalStores } from '#testing/mortal-stores';
import type { Effect } from './effects/effect.js';
import { countsProjector, said, wordsProjector } from './example-projectors.js';
import type { Listener } from './listener.js';
import { ProjectionRuntime } from './projection-runtime.js';
import type { Projector } from './projector.js';
import type { RuntimeParts } from './runtime-parts.js';

/** Holds whoever passes it, once it is shut. */
class Gate {
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  /** How many have come to it. */
  came = 0;

  shut(): void {
    this.#opened = new Promise((open) => (this.#open = open));
  }

  open(): void {
    this.#open();
  }

  pass(): Promise<void> {
    this.came++;
    return this.#opened;
  }
}

describe('a projector that takes long', () => {
  let store: SpokenLog;
  let readModels: MemoryReadModels;
  let gate: Gate;
  let runtimes: ProjectionRuntime[];

  beforeEach(() => {
    store = new SpokenLog();
    readModels = new MemoryReadModels();
    gate = new Gate();
    runtimes = [];
  });

  afterEach(async () => {
    gate.open();
    for (const each of runtimes) await each.stop();
  });

  const say = (...spoken: string[]): Promise<Position> => store.say(...spoken);

  const slow = (through = gate): Projector => {
    const counts = countsProjector();
    return { ...counts, project: (fact, rows) => through.pass().then(() => counts.project(fact, rows)) };
  };

  const make = (parts: Partial<RuntimeParts> = {}): ProjectionRuntime => {
    const projectors = [wordsProjector(), slow()];
    const clock = { now: () => 7 };
    const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock, ...parts });
    runtimes.push(runtime);
    return runtime;
  };

  const begin = async (parts?: Partial<RuntimeParts>): Promise<ProjectionRuntime> => {
    const runtime = make(parts);
    await runtime.start();
    return runtime;
  };

  const hearing = (name: string, reads: readonly string[], heard: Position[]): Listener => ({
    name,
    reads,
    hear: (facts: readonly RecordedFact[]) => void heard.push(...facts.map(({ position }) => position)),
  });

  it('delays those alone who wait for it, and tokens run ahead of nothing that they cover', async () => {
    const runtime = await begin();
    const before = await say('a');
    await runtime.whenProcessed(before);
    gate.shut();
    const position = await say('b');
    await runtime.whenProcessed(position);
    await runtime.whenProcessed(position, ['words', 'last-word']);
    expect(await runtime.get('last-word', ['s'])).toBe('b');
    expect(runtime.position(['words'])).toBe(position);
    expect([runtime.position(), runtime.position(['words', 'counts'])]).toEqual([before, before]);
    let isDone = false;
    const waiting = runtime.whenProcessed(position, ['words', 'counts']).then(() => (isDone = true));
    // Those that come after it are delayed by nobody.
    for (const word of ['c', 'd', 'e']) await runtime.whenProcessed(await say(word));
    expect(await runtime.get('last-word', ['s'])).toBe('e');
    expect(isDone).toBe(false);
    expect(await runtime.get('counts', ['word', 'b'])).toBeUndefined();
    gate.open();
    await waiting;
    expect(await runtime.get('counts', ['word', 'b'])).toBe(`1@${position}`);
    const head = await store.head();
    await runtime.whenProcessed(head, ['counts']);
    expect(runtime.position()).toBe(head);
    expect(await runtime.operations.status('counts')).toMatchObject({ position: head, deadLetters: 0 });
  });

  it('goes with all others through what was there at the start, which nobody can wait for less long', async () => {
    await say('a', 'b', 'c');
    gate.shut();
    const told: string[] = [];
    const tell = (message: string): void => void told.push(message);
    const runtime = make({ log: { info: tell, warn: tell, error: tell } });
    const starting = runtime.start();
    // Longer than others are kept waiting for what comes later.
    await delay(300);
    gate.open();
    await starting;
    expect(told).toEqual([]);
    expect(await runtime.get('counts', ['word', 'c'])).toBe(`1@${await store.head()}`);
    expect(await runtime.get('last-word', ['s'])).toBe('c');
  });

  it('holds up no listener that does not read it; one that does hears of all facts once, in order', async () => {
    const quick: Position[] = [];
    const late: Position[] = [];
    const runtime = await begin({
      listeners: [hearing('quick', ['words'], quick), hearing('late', ['words', 'counts'], late)],
    });
    const facts = [await say('a')];
    await runtime.whenProcessed(facts[0]!);
    gate.shut();
    for (const word of ['b', 'c', 'd']) {
      facts.push(await say(word));
      await runtime.whenProcessed(facts.at(-1)!);
    }
    await expect.poll(() => quick).toEqual(facts);
    expect(late).toEqual(facts.slice(0, 1));
    gate.open();
    facts.push(await say('e', 'f').then(() => '0000000000000000005' as Position), await store.head());
    await expect.poll(() => late).toEqual(facts);
    expect(quick).toEqual(facts);
  });

  it('holds up the effects, which read any view: each begins when all have the fact', async () => {
    const seen: (string | undefined)[] = [];
    const effect: Effect = {
      name: 'counting',
      keyOf: ({ type }) => (type === 'said' ? 'key' : undefined),
      run: async (fact) => {
        const { word } = JSON.parse(fact.data) as { word: string };
        seen.push(await runtime.get('counts', ['word', word]));
        return false;
      },
    };
    const runtime: ProjectionRuntime = make({ effects: [effect] });
    await runtime.start();
    await runtime.whenProcessed(await say('a'));
    await expect.poll(() => seen).toHaveLength(1);
    gate.shut();
    await runtime.whenProcessed(await say('b'));
    await delay(20);
    expect(seen).toHaveLength(1);
    gate.open();
    await expect.poll(() => seen).toHaveLength(2);
    expect(seen).not.toContain(undefined);
  });

  it('goes on from a checkpoint of its own after a restart, and keeps up with the others again', async () => {
    const first = await begin();
    await first.whenProcessed(await say('a'));
    gate.shut();
    await first.whenProcessed(await say('b', 'a'));
    const stopping = first.stop();
    gate.open();
    await stopping;
    const second = await begin();
    expect(second.position()).toBe(await store.head());
    expect(await second.get('counts', ['word', 'a'])).toBe(`2@${await store.head()}`);
    const position = await say('c');
    await second.whenProcessed(position);
    expect(await second.get('counts', ['word', 'c'])).toBe(`1@${position}`);
  });

  it('is followed by other processes as it goes on by itself', async () => {
    const first = await begin({ readModels: readModels.another() });
    const second = await begin({ readModels: readModels.another() });
    const before = await say('a');
    await second.whenProcessed(before);
    gate.shut();
    const position = await say('b');
    await second.whenProcessed(position);
    expect([first.isWriter, second.isWriter]).toEqual([true, false]);
    expect([second.position(), second.position(['words'])]).toEqual([before, position]);
    const waiting = second.whenProcessed(position, ['counts']);
    gate.open();
    await waiting;
    expect(await second.get('counts', ['word', 'b'])).toBe(`1@${position}`);
  });

  it('does not make a member late that is alone', async () => {
    const runtime = await begin({ projectors: [slow()] });
    gate.shut();
    const position = await say('a');
    const waiting = runtime.whenProcessed(position);
    await delay(250);
    gate.open();
    await waiting;
    expect(await runtime.get('counts', ['word', 'a'])).toBe(`1@${position}`);
  });

  it('leaves whole batches at whatever write the process ends', async () => {
    let hasEnded = false;
    for (let writes = 1; !hasEnded; writes++) {
      const disk = Disk.empty();
      const life = new MortalStores(disk);
      const own = new Gate();
      const projectors = [wordsProjector(), slow(own)];
      const clock = { now: () => 7 };
      const runtime = new ProjectionRuntime({
        store: life.store,
        readModels: life.readModels,
        projectors,
        listeners: [],
        clock,
      });
      await runtime.start();
      own.shut();
      life.endAfter(writes);
      const going = (async () => {
        await life.store.append(
          's',
          'no-stream',
          ['a', 'b', 'a'].map((word) => said(word)),
        );
        await runtime.whenProcessed(await life.store.head());
        await life.store.append(
          's',
          2,
          ['a', 'c'].map((word) => said(word)),
        );
        await runtime.whenProcessed(await life.store.head());
        own.open();
        await runtime.whenProcessed(await life.store.head(), ['counts']);
        return true;
      })();
      hasEnded = (await Promise.race([going, life.ended.then(() => false)])) && !life.hasEnded;
      life.end();
      own.open();
      const after = new ProjectionRuntime({
        store: disk.log,
        readModels: disk.views,
        projectors: [wordsProjector(), countsProjector()],
        listeners: [],
        clock,
      });
      await after.start();
      const fresh = new ProjectionRuntime({
        store: disk.log,
        readModels: new MemoryReadModels(),
        projectors: [wordsProjector(), countsProjector()],
        listeners: [],
        clock,
      });
      await fresh.start();
      for (const name of ['words', 'counts'])
        expect(await after.operations.checksum(name)).toEqual(await fresh.operations.checksum(name));
      await Promise.all([after.stop(), fresh.stop()]);
    }
  }, 60_000);

  it('goes on where it is paused and resumed in one moment while it is filled', async () => {
    const runtime = await begin();
    await runtime.operations.pause('counts', 'looks wrong');
    const last = await say('a', 'b');
    await runtime.whenProcessed(last);
    gate.shut();
    const before = gate.came;
    await runtime.operations.resume('counts');
    await expect.poll(() => gate.came).toBeGreaterThan(before);
    const pausing = runtime.operations.pause('counts', 'looks wrong');
    await Promise.all([runtime.operations.resume('counts'), runtime.operations.resume('counts')]);
    gate.open();
    await pausing;
    await say('c');
    await expect.poll(async () => runtime.get('counts', ['word', 'c'])).toBeDefined();
  });
});
