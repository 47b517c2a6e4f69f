import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { LogDamaged } from '#event-store/event-store-errors';
import { verifyChain } from '#event-store/seal-facts';
import { nameLog } from '#event-store/log-identity';
import type { ServerName } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { StoreAway } from '#kernel/outage';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { said, wordsProjector } from '../example-projectors.js';
import { ProjectionRuntime } from '../projection-runtime.js';
import type { ProjectionLog, RuntimeParts } from '../runtime-parts.js';
import type { Effect } from './effect.js';
import { EffectRunner } from './effect-runner.js';

const wordOf = (fact: RecordedFact): string => (JSON.parse(fact.data) as { word: string }).word;

const until = async (condition: () => unknown): Promise<void> => {
  await expect.poll(condition, { interval: 1 }).toBeTruthy();
};

let store: MemoryEventStore;
let readModels: MemoryReadModels;
let done: string[];
let errors: string[];
let warnings: string[];
let runtimes: ProjectionRuntime[];
let count: number;

beforeEach(() => {
  store = new MemoryEventStore();
  readModels = new MemoryReadModels();
  done = [];
  errors = [];
  warnings = [];
  runtimes = [];
  count = 0;
});

afterEach(async () => {
  for (const each of runtimes) await each.stop();
});

const log: ProjectionLog = {
  info() {},
  warn: (message) => void warnings.push(message),
  error: (message) => void errors.push(message),
};

/** Notes what was said, within the first letter; words in small letters are nothing to it. */
const echo = (run: (fact: RecordedFact) => Promise<void> = async () => {}, name = 'echo'): Effect => ({
  name,
  fromStart: true,
  keyOf: (fact) => (fact.type === 'said' && /^[A-Z]/.test(wordOf(fact)) ? wordOf(fact)[0] : undefined),
  async run(fact) {
    await run(fact);
    done.push(wordOf(fact));
    return true;
  },
});

async function say(...spoken: string[]): Promise<void> {
  const facts = spoken.map((word) => said(word));
  await store.append('s', count === 0 ? 'no-stream' : count - 1, facts);
  count += spoken.length;
}

const begin = (...effects: Effect[]): Promise<ProjectionRuntime> => beginWith({}, ...effects);

async function beginWith(more: Partial<RuntimeParts>, ...effects: Effect[]): Promise<ProjectionRuntime> {
  const clock = { now: () => 7 };
  const projectors = [wordsProjector()];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], effects, clock, log, ...more });
  runtimes.push(runtime);
  await runtime.start();
  return runtime;
}

/** An end that nobody prepared for: what is under way gets nowhere, and nothing more is noted. */
const never = (): Promise<void> => new Promise(() => {});
async function kill(runtime: ProjectionRuntime): Promise<void> {
  const append = store.append.bind(store);
  store.append = never as never;
  await runtime.stop();
  store.append = append;
}

describe('an effect', () => {
  it('follows from every fact that concerns it, old and new, in the order of each key', async () => {
    await say('Ant', 'bee', 'Cat');
    const slow = echo((fact) => delay(wordOf(fact) === 'Ant' ? 20 : 0));
    const runtime = await begin(slow);
    await until(() => done.length === 2);
    await say('Auk', 'Cow');
    await until(() => done.length === 4);
    expect(done).toEqual(['Cat', 'Ant', 'Auk', 'Cow']);
    expect(runtime.effects.list()).toEqual([
      { name: 'echo', runs: 'here', waiting: 0, waitingSince: undefined, failures: 0, givenUp: 0, deadLetters: 0 },
    ]);
  });

  it('finds the fact in the views', async () => {
    const seen: unknown[] = [];
    const runtime: ProjectionRuntime = await begin(
      echo(async ({ stream }) => void seen.push(await runtime.get('last-word', [stream]))),
    );
    await say('Ant');
    await until(() => done.length === 1);
    expect(seen).toEqual(['Ant']);
  });

  it('happens once: not again after a restart, nor where the views are deleted or rebuilt', async () => {
    await say('Ant', 'Bee');
    const first = await begin(echo());
    await until(() => done.length === 2);
    await first.stop();
    readModels = new MemoryReadModels();
    const second = await begin(echo());
    await second.operations.rebuild('words');
    await say('Cat');
    await until(() => done.length === 3);
    expect(done).toEqual(['Ant', 'Bee', 'Cat']);
  });

  it('is told of a fact once it is done, and noted: then nobody does it again', async () => {
    let go: (() => void) | undefined;
    const runtime = await begin(
      echo(() => new Promise((resolve) => (go = resolve))),
      { ...echo(undefined, 'idle'), run: async () => false },
    );
    await say('Ant', 'bee');
    const fact = store.facts.find(({ stream }) => stream === 's')!;
    expect(await runtime.effects.stateOf(fact)).toBe('under-way');
    await until(() => go);
    go?.();
    await until(() => done.length === 1);
    await expect.poll(() => runtime.effects.stateOf(fact)).toBe('done');
    await kill(runtime);
    await begin(echo(), echo(undefined, 'idle'));
    await say('Cat');
    await until(() => done.length === 3);
    expect(done).toEqual(['Ant', 'Cat', 'Cat']);
  });

  it('of a fact that was given up is for an operator to say', async () => {
    const unreadable = (): never => {
      throw new Error('unreadable');
    };
    const runtime = await begin({ ...echo(), keyOf: (fact) => (fact.type === 'said' ? unreadable() : undefined) });
    await say('Ant');
    await until(() => errors.length > 0);
    expect(await runtime.effects.stateOf(store.facts.find(({ stream }) => stream === 's')!)).toBe('given-up');
  });

  it('does not follow from what was taken back since', async () => {
    await store.append('s', 'no-stream', [said('Ant'), said('Bee'), said('back', 'unsaid'), said('Cat')]);
    await beginWith({ takenBackBy: { said: 'unsaid' } }, echo());
    await until(() => done.length > 0);
    await delay(20);
    expect(done).toEqual(['Cat']);
  });

  it('is told of what is taken back while it goes on, as of what another process has done meanwhile, and is not tried again', async () => {
    const steps: string[] = [];
    const runtime = await beginWith(
      { takenBackBy: { said: 'unsaid' } },
      {
        ...echo(),
        async run({ stream }, stands) {
          for (const step of ['one', 'two']) {
            if (!(await stands())) return false;
            steps.push(step);
            await store.append(stream, 0, [said('back', 'unsaid')]);
          }
          return true;
        },
      },
    );
    await say('Ant');
    await until(() => steps.length > 0 && runtime.effects.list()[0]!.waiting === 0);
    expect([steps, runtime.effects.list()[0]]).toMatchObject([['one'], { failures: 0, deadLetters: 0 }]);
  });

  it('is not done by views that were thrown away while it read them', async () => {
    let areGone = false;
    const seen: unknown[] = [];
    const runtime: ProjectionRuntime = await begin({
      ...echo(),
      // The first time it finds nothing to do.
      async run({ stream }) {
        areGone = seen.length === 0;
        const last = areGone ? undefined : await runtime.get('last-word', [stream]);
        seen.push(last);
        return last !== undefined;
      },
    });
    readModels.confirm = async () => {
      if (areGone) throw new ViewsUnavailable('the views were thrown away');
    };
    await say('Ant');
    await until(() => seen.length === 2 && runtime.effects.list()[0]!.waiting === 0);
    expect(seen).toEqual([undefined, 'Ant']);
  });

  it('says once that it cannot read the log, and where, and follows from what it had not read once it can', async () => {
    await say('Ant');
    const readAll = store.readAll.bind(store);
    let readings = 0;
    store.readAll = () => {
      readings++;
      throw new LogDamaged('it cannot be read');
    };
    const runtime = await begin(echo());
    await expect.poll(() => readings).toBeGreaterThanOrEqual(2);
    expect(errors).toEqual([
      `The effect echo waits behind position ${START}, and tries again: the log is damaged: it cannot be read`,
    ]);
    expect(runtime.failures()).toEqual(['The effect echo waits: the log is damaged: it cannot be read']);
    store.readAll = readAll;
    await expect.poll(() => done).toEqual(['Ant']);
    await expect.poll(() => runtime.failures()).toEqual([]);
    expect(errors).toHaveLength(1);
  });

  it('that was under way when the server was killed happens after the next start, also without the views', async () => {
    await say('Ant');
    const first = await begin(echo((fact) => (wordOf(fact) === 'Bee' ? never() : Promise.resolve())));
    await until(() => done.length === 1);
    await say('Bee', 'Cat');
    await until(() => done.includes('Cat'));
    await kill(first);
    done = [];
    readModels = new MemoryReadModels();
    await begin(echo());
    await until(() => done.length === 2);
    expect(done).toEqual(['Bee', 'Cat']);
  });

  it('follows from facts that were appended while no server ran', async () => {
    const first = await begin(echo());
    await say('Ant');
    await until(() => done.length === 1);
    await first.stop();
    await say('Bee');
    await begin(echo());
    await until(() => done.length === 2);
    expect(done).toEqual(['Ant', 'Bee']);
  });

  it('that is new in a log follows from what happens from then on, also where the server is killed at once', async () => {
    const first = await begin(echo());
    await say('Ant');
    await until(() => done.length === 1);
    await first.stop();
    await say('Bee');
    const second = await begin(echo(), { ...echo(undefined, 'other'), fromStart: false });
    await until(() => done.length === 2);
    await kill(second);
    await say('Cat');
    await begin({ ...echo(undefined, 'other'), fromStart: false });
    await until(() => done.length === 3);
    expect(done).toEqual(['Ant', 'Bee', 'Cat']);
  });

  it('that hands facts over is given each in its turn whatever became of those before, and is noted behind those that ended', async () => {
    await say('Ant', 'Auk', 'Bee');
    const ends = new Map<string, () => void>();
    const began: Position[] = [];
    const handing: Effect = {
      ...echo((fact) => new Promise((resolve) => ends.set(wordOf(fact), resolve))),
      handsOver: true,
      begin: async (after) => void began.push(after),
      end: () => void done.push('(end)'),
    };
    const first = await begin(handing);
    await until(() => ends.size === 3);
    expect([...ends.keys()]).toEqual(['Ant', 'Auk', 'Bee']);
    expect(began).toEqual([START]);
    ends.get('Bee')!();
    ends.get('Ant')!();
    await until(() => done.length === 2);
    expect(first.effects.ofRequest('r')).toBeUndefined();
    await first.stop();
    expect(done.slice(2)).toEqual(['(end)']);
    ends.clear();
    await begin(handing);
    await until(() => ends.size === 2);
    expect([...ends.keys()]).toEqual(['Auk', 'Bee']);
    for (const end of ends.values()) end();
  });

  it('that is slow holds up no other, nor what is noted of it', async () => {
    await begin(echo(), echo(never, 'slow'));
    for (const word of ['Ant', 'Bee', 'Cat']) {
      await say(word);
      await until(() => done.includes(word));
    }
    await kill(runtimes[0]!);
    await begin(
      echo(),
      echo(async () => {}, 'slow'),
    );
    await until(() => done.length === 6);
    expect(done).toEqual(['Ant', 'Bee', 'Cat', 'Ant', 'Bee', 'Cat']);
  });

  it('is noted in the log in a chain of its own, which says all of it again now and then and loses what lies before', async () => {
    const first = await begin(echo());
    for (let i = 0; i < 300; i++) {
      await say(`Ant${i}`);
      await until(() => done.length > i);
    }
    await first.stop();
    const notes: RecordedFact[] = [];
    for await (const fact of store.readStream('effects')) notes.push(fact);
    expect(notes.slice(1).every((fact, i) => verifyChain(notes[i]!.metadata.chain, fact))).toBe(true);
    // What it has said again is gone from the log.
    expect(notes[0]).toMatchObject({ type: 'effects-summary', revision: expect.closeTo(256, -1) });
    expect(JSON.parse(notes[0]!.data)).toMatchObject({ marks: { echo: { stream: 's' } }, letters: [] });
    await begin(echo());
    await say('Bee');
    await until(() => done.length === 301);
    expect(done.at(-1)).toBe('Bee');
  });

  it('writes nothing where there is nothing to do, but that the log knows it', async () => {
    const runtime = await begin(echo());
    await say('ant', 'bee');
    await runtime.stop();
    expect(store.facts.map(({ type }) => type)).toEqual(['effects-begun', 'said', 'said']);
    await (await begin(echo())).stop();
    expect(store.facts).toHaveLength(3);
  });

  it('goes on in a copy of the log, where places are others', async () => {
    const first = await begin(echo());
    await say('Ant', 'Bee');
    await until(() => done.length === 2);
    await first.stop();
    const copy = new MemoryEventStore();
    const before = said('before');
    await copy.append('x', 'no-stream', [before]);
    for (const { stream, revision, ...fact } of store.facts) {
      await copy.append(stream, revision === 0 ? 'no-stream' : revision - 1, [fact]);
    }
    await copy.append('s', 1, [said('Cat')]);
    const key = { key_id: 'ed25519:1', public_key: 'k' };
    await nameLog(copy, { now: () => 7 }, 'a.example' as ServerName, key);
    store = copy;
    readModels = new MemoryReadModels();
    await begin(echo());
    await until(() => done.length === 3);
    expect(done).toEqual(['Ant', 'Bee', 'Cat']);
  });
});

describe('an effect that fails', () => {
  let runner: EffectRunner | undefined;

  afterEach(() => runner?.stop());

  const run = async (effect: Effect): Promise<EffectRunner> => {
    const live = {
      get position() {
        return store.facts.at(-1)?.position ?? START;
      },
      areThere: true,
      whenProcessed: async () => {},
      confirm: async () => {},
    };
    runner = new EffectRunner({ store, clock: { now: () => 7 }, effects: [effect], log, live, retryMs: 0.01 });
    await runner.start();
    return runner;
  };

  it('is tried again, before others of its key and while other keys go on', async () => {
    let tries = 0;
    await say('Ant', 'Auk', 'Bee');
    await run(
      echo(async (fact) => {
        if (wordOf(fact) === 'Ant' && ++tries < 5) throw new Error('not yet');
      }),
    );
    await until(() => done.length === 3);
    expect(done).toEqual(['Bee', 'Ant', 'Auk']);
    expect(errors).toEqual([]);
    expect(runner!.list()).toMatchObject([{ waiting: 0, failures: 4, givenUp: 0 }]);
  });

  it('is given up in the end, loudly, and holds up nobody any longer', async () => {
    await say('Ant', 'Auk', 'Bee');
    await run(
      echo(async (fact) => {
        if (wordOf(fact) === 'Ant') throw new Error('poison');
      }),
    );
    await until(() => done.length === 2);
    expect(done).toEqual(['Bee', 'Auk']);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(
      /^echo: .* \(s, revision 0\) was given up: poison\. .*: annals effects retry echo [0-9a-f-]{36}$/,
    );
    expect(runner!.list()).toMatchObject([{ waiting: 0, givenUp: 1, deadLetters: 1 }]);
  });

  it('is not given up while the log cannot be reached', async () => {
    let tries = 0;
    const effects = await run(
      echo(async () => {
        store.head = () => Promise.reject(new Error('away'));
        if (++tries < 40) throw new Error('away');
      }),
    );
    await say('Ant');
    effects.hear(store.facts);
    await until(() => done.length === 1);
    // Nor is it told for each of them: whoever holds the log says so.
    expect([...errors, ...warnings]).toEqual([]);
  });

  it('is not given up either while the views that it reads are made anew, or wait for one that is paused', async () => {
    let tries = 0;
    await run(
      echo(async () => {
        if (++tries < 40) throw new ViewsUnavailable('the views are made anew');
      }),
    );
    await say('Ant');
    await until(() => done.length === 1);
    expect([...errors, ...warnings]).toEqual([]);
  });

  it('is not given up either while a store that it needs besides is away', async () => {
    let tries = 0;
    await run(
      echo(async () => {
        if (++tries < 40) throw new StoreAway('M_UNKNOWN');
      }),
    );
    await say('Ant');
    await until(() => done.length === 1);
    expect([...errors, ...warnings]).toEqual([]);
  });

  it('whose fact cannot even be looked at is given up at once', async () => {
    await say('Ant', 'Bee');
    const effect = echo();
    const keyOf = (fact: RecordedFact): string | undefined => {
      if (wordOf(fact) === 'Ant') throw new Error('poison');
      return effect.keyOf(fact);
    };
    await run({ ...effect, keyOf });
    await until(() => done.length === 1);
    expect(done).toEqual(['Bee']);
    expect(runner!.list()).toMatchObject([{ givenUp: 1 }]);
  });
});

describe('many effects at once', () => {
  it('are all done, though no more are begun than the runner takes', async () => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    let begun = 0;
    await begin(
      echo(async () => {
        begun++;
        await opened;
      }),
    );
    // A key for each, or they would wait for each other.
    const words = Array.from({ length: 4_000 }, (_, i) => `${String.fromCodePoint(65 + (i % 26))}${i}`);
    for (let i = 0; i < words.length; i += 100) await say(...words.slice(i, i + 100));
    await until(() => begun === 26);
    expect(runtimes[0]!.effects.list()[0]!.waiting).toBeLessThan(3_000);
    open();
    await until(() => done.length === words.length);
    expect(new Set(done)).toEqual(new Set(words));
  });
});

describe('an answer', () => {
  const correlated = (word: string, correlation: string): ReturnType<typeof said> => {
    const fact = said(word);
    return { ...fact, metadata: { ...fact.metadata, correlation } };
  };

  it('waits for what follows from the facts of its own request, and a second at most', async () => {
    let open: () => void = () => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const runtime = await begin(echo((fact) => (wordOf(fact) === 'Never' ? never() : opened)));
    const { position } = await store.append('r', 'no-stream', [
      correlated('Ant', 'mine'),
      correlated('bee', 'other'),
      correlated('Never', 'stuck'),
    ]);
    await runtime.whenProcessed(position);
    expect(runtime.effects.ofRequest('other')).toBeUndefined();
    const mine = runtime.effects.ofRequest('mine');
    expect(mine).toBeDefined();
    open();
    await mine;
    expect(done).toEqual(['Ant']);
    expect(runtime.effects.ofRequest('mine')).toBeUndefined();
    const started = performance.now();
    await runtime.effects.ofRequest('stuck');
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
