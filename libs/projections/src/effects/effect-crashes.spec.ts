import { expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { verifyChain } from '#event-store/seal-facts';
import { START } from '#kernel/position';
import { Disk, MortalStores } from '#testing/mortal-stores';
import { said } from '../example-projectors.js';
import type { ProjectionLog } from '../runtime-parts.js';
import type { Effect } from './effect.js';
import { EffectRunner } from './effect-runner.js';

const wordOf = (fact: RecordedFact): string => (JSON.parse(fact.data) as { word: string }).word;
const poll = { interval: 0 };
const silent: ProjectionLog = { info() {}, warn() {}, error() {} };
const SPOKEN = ['Ant', 'Auk', 'Bee', 'Ape', 'Bat', 'Cat', 'Asp'];
const POISON = 'Auk';
const EFFECTS = ['loose', 'strict'] as const;

/** Whoever is told of what was said, outside of all processes: knows what it has heard by the ids of the facts. */
class Receiver {
  readonly heard = new Map<string, string[]>(EFFECTS.map((name) => [name, []]));
  readonly #known = new Set<string>();
  isPoisoned = true;

  hear(effect: string, fact: RecordedFact): void {
    if (this.isPoisoned && wordOf(fact) === POISON) throw new Error('poison');
    if (this.#known.has(`${effect} ${fact.id}`)) return;
    this.#known.add(`${effect} ${fact.id}`);
    this.heard.get(effect)!.push(wordOf(fact));
  }
}

/** A process that runs two effects, until its stores end. */
class Process {
  readonly #runner: EffectRunner;

  constructor(
    readonly stores: MortalStores,
    private readonly disk: Disk,
    receiver: Receiver,
  ) {
    const live = {
      get position() {
        return disk.log.facts.at(-1)?.position ?? START;
      },
      areThere: true,
      whenProcessed: async () => {},
      confirm: async () => {},
    };
    const effects = EFFECTS.map((name): Effect => ({
      name,
      isStrict: name === 'strict',
      keyOf: (fact) => (fact.type === 'said' ? wordOf(fact)[0] : undefined),
      async run(fact) {
        if (stores.hasEnded) return new Promise<never>(() => {});
        receiver.hear(name, fact);
        return true;
      },
    }));
    const lease = { place: 'here', answerMs: 60_000, askMs: 60_000 };
    const parts = { store: stores.store, clock: { now: () => 7 }, effects, log: silent, live, lease, retryMs: 0.01 };
    this.#runner = new EffectRunner(parts);
  }

  start(): Promise<void> {
    return this.#runner.start();
  }

  /** Says what has not been said yet. */
  async speak(): Promise<void> {
    for (;;) {
      const { length } = this.disk.log.facts.filter(({ stream }) => stream === 's');
      if (length === SPOKEN.length) return;
      await this.stores.store.append('s', length === 0 ? 'no-stream' : length - 1, [said(SPOKEN[length]!)]);
      this.#runner.hear(this.disk.log.facts);
    }
  }

  /** Settles when nothing is under way, and everything has been looked at. */
  async rest(): Promise<void> {
    // Once the process has ended nobody hears of that, nor asks again.
    const state = (): Promise<unknown> =>
      this.stores.live(async () => this.#runner.list().map(({ runs, waiting }) => [runs, waiting]));
    for (let quiet = 0; quiet < 5; quiet++)
      await expect.poll(state, poll).toEqual([
        ['here', 0],
        ['here', 0],
      ]);
  }

  async retryAll(): Promise<void> {
    for (const effect of EFFECTS) {
      if ((await this.#runner.letters(effect)).length > 0) await this.#runner.retry(effect);
    }
    await this.rest();
  }

  letters(): ReturnType<EffectRunner['letters']> {
    return this.#runner.letters();
  }

  stop(): Promise<void> {
    return this.#runner.stop();
  }
}

it('effects of a process that ends at any step happen all, once where the receiver knows them again, and in order', async () => {
  let steps = 0;
  for (let step = 1; ; step++) {
    const disk = Disk.empty();
    const receiver = new Receiver();
    const mortal = new Process(new MortalStores(disk), disk, receiver);
    mortal.stores.endAfter(step);
    const acting = async (): Promise<void> => {
      await mortal.start();
      await mortal.speak();
      await mortal.rest();
      receiver.isPoisoned = false;
      await mortal.retryAll();
      await mortal.stop();
    };
    await Promise.race([acting(), mortal.stores.ended]);
    const { hasEnded } = mortal.stores;
    mortal.stores.end();

    const next = new Process(new MortalStores(disk), disk, receiver);
    await next.start();
    await next.speak();
    await next.rest();
    receiver.isPoisoned = false;
    await next.retryAll();
    try {
      expect(await next.letters()).toEqual([]);
      expect(receiver.heard.get('loose')!.toSorted()).toEqual(SPOKEN.toSorted());
      for (const key of ['A', 'B', 'C']) {
        const ofKey = (words: readonly string[]): string[] => words.filter((word) => word[0] === key);
        expect(ofKey(receiver.heard.get('strict')!)).toEqual(ofKey(SPOKEN));
      }
      const notes = disk.log.facts.filter(({ stream }) => stream === 'effects');
      expect(notes.every((fact, i) => verifyChain(notes[i - 1]?.metadata.chain, fact))).toBe(true);
    } catch (error) {
      throw new Error(`ended after ${step} writes\n  ${mortal.stores.steps.join('\n  ')}\n`, { cause: error });
    }
    await next.stop();
    if (!hasEnded) break;
    steps = step;
  }
  // Each fact, its mark, the letters and what became of them.
  expect(steps).toBeGreaterThan(20);
}, 300_000);
