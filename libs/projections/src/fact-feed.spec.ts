import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { LogDamaged } from '#event-store/event-store-errors';
import { START, type Position } from '#kernel/position';
import { SpokenLog } from '#testing/spoken-log';
import { countsProjector, wordsProjector } from './example-projectors.js';
import { FactFeed } from './fact-feed.js';
import { firstRecord, Projection } from './projection.js';
import { silentLog } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';
import { ViewsProgress } from './views-progress.js';

describe('a feed of facts', () => {
  let store: SpokenLog;
  let progress: ViewsProgress;
  let counts: Projection;
  let heard: Position[];
  let feed: FactFeed;
  let lines: string[];

  beforeEach(async () => {
    store = new SpokenLog();
    const words = new Projection(wordsProjector(), firstRecord(wordsProjector(), START));
    counts = new Projection(countsProjector(), firstRecord(countsProjector(), START));
    progress = new ViewsProgress([words.projector, counts.projector], {}, silentLog);
    progress.take(new Map([words, counts].map((each) => [each.name, each])), await store.say('a', 'b'));
    heard = [];
    const hear: FactFeed['hear'] = (facts) => heard.push(...facts.map(({ position }) => position));
    lines = [];
    const say = (line: string): void => void lines.push(line);
    const failures = new ToldFailures({ info: say, warn: say, error: say }, 'The listener');
    const { signal } = new AbortController();
    feed = new FactFeed({ store, progress, failures, signal }, hear, undefined, progress.position);
  });

  const pass = (position: Position): void => {
    progress.moveTo(position);
    feed.offer(store.facts.filter((fact) => fact.position === position));
    progress.settle();
  };

  it('tells once all is there again what came while views were made anew, of which one takes longer', async () => {
    counts.serving.at = START;
    progress.moveTo(START);
    const meanwhile = await store.say('c');
    pass(meanwhile);
    expect(progress.readable).toBeUndefined();
    counts.serving.at = 'live';
    progress.settle();
    const next = await store.say('d');
    pass(next);
    await expect.poll(() => heard).toEqual([meanwhile, next]);
  });

  it('goes on where one that was filled by itself, ahead of what is told here, moves with the rest from then on', async () => {
    const ahead = await store.say('c');
    counts.serving.at = ahead;
    progress.take(progress.projections);
    counts.serving.at = 'live';
    progress.take(progress.projections);
    expect(progress.readable).toBeDefined();
    pass(ahead);
    expect(heard).toEqual([ahead]);
  });

  it('waits for what takes longer, and reads nothing meanwhile, where what that has passed last is gone from the log', async () => {
    const gone = await store.say('c');
    const next = await store.say('d');
    await store.truncate('s', 3);
    let readings = 0;
    const readAll = store.readAll.bind(store);
    store.readAll = async function* (options) {
      readings++;
      await delay(1);
      yield* readAll(options);
    };
    counts.serving.at = gone;
    pass(next);
    await delay(50);
    expect([heard, readings]).toEqual([[], 1]);
    counts.serving.at = 'live';
    progress.settle();
    await expect.poll(() => heard).toEqual([next]);
  });

  it('says once that it cannot read on, and where, and tells what it had not read once it can', async () => {
    const before = progress.position;
    const next = await store.say('c');
    let readings = 0;
    const readAll = store.readAll.bind(store);
    store.readAll = () => {
      readings++;
      throw new LogDamaged('it cannot be read');
    };
    counts.serving.at = before;
    pass(next);
    counts.serving.at = 'live';
    progress.settle();
    await expect.poll(() => readings).toBeGreaterThanOrEqual(2);
    expect(lines).toEqual([
      `The listener waits behind position ${before}, and tries again: the log is damaged: it cannot be read`,
    ]);
    expect(feed.failure).toBe('The listener waits: the log is damaged: it cannot be read');
    store.readAll = readAll;
    await expect.poll(() => heard).toEqual([next]);
    await expect.poll(() => feed.failure).toBeUndefined();
    expect(lines.slice(1)).toEqual(['The listener goes on']);
  });
});
