import { setImmediate as nextTurn } from 'node:timers/promises';
import { Disk, MortalStores } from './mortal-stores.js';
import { SyncApp } from './sync-app.js';

/** A request in the middle of which the process ends, and what is to hold whatever it had written by then. */
export interface CrashStory<C, A> {
  /** Settings as in the environment. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What was there before. Users in it speak to an app that is gone: `user.on(app)`. */
  prepare(app: SyncApp): Promise<C>;
  /** The request. */
  act(app: SyncApp, context: C): Promise<A>;
  /** Asks the next process, which has done what followed from what it found. `answer` is undefined where there was none. */
  check(app: SyncApp, context: C, answer: A | undefined): Promise<void>;
}

/** Enough for any request. */
const MOST_STEPS = 200;
/** An effect is tried again, after longer and longer: who waits for one that cannot work waits for ever. */
const MOST_FAILURES = 3;

/**
 * Lets the process end after each of the writes that a request leads to (of facts or of rows, by what follows from it too), and
 * once in peace; asks the next process each time, with the views as they were and without them. Answers how many writes it were.
 */
export async function endAtEachStep<C, A>(story: CrashStory<C, A>): Promise<number> {
  const { settings } = story;
  const before = Disk.empty();
  const firstStores = new MortalStores(before);
  const first = await SyncApp.start(firstStores, settings);
  const context = await story.prepare(first);
  await atRest(first, firstStores);
  await first.close();
  for (let step = 1; step < MOST_STEPS; step++) {
    const disk = await before.copy();
    const stores = new MortalStores(disk);
    const app = await SyncApp.start(stores, settings);
    await atRest(app, stores);
    stores.endAfter(step);
    let answer: A | undefined;
    const done = story.act(app, context).then(async (answered) => {
      answer = answered;
      await atRest(app, stores);
    });
    await Promise.race([done, stores.ended]);
    const { hasEnded } = stores;
    stores.end();
    app.abandon();
    // Without views the log alone tells: as often as there was something new in it.
    for (const withoutViews of stores.wroteFacts ? [false, true] : [false]) {
      const nextStores = new MortalStores(await disk.copy({ withoutViews }));
      const next = await SyncApp.start(nextStores, settings);
      try {
        await atRest(next, nextStores);
        await story.check(next, context, answer);
      } catch (error) {
        const how = withoutViews ? ', then without its views' : '';
        throw new Error(`ended after ${step} writes${how}\n  ${stores.steps.join('\n  ')}\n`, { cause: error });
      } finally {
        await next.close();
      }
    }
    if (!hasEnded) return step - 1;
  }
  throw new Error(`more than ${MOST_STEPS} writes`);
}

/**
 * Settles when all views are at the head of the log and nothing follows any more, or the process has ended. Throws where something that
 * follows fails without end.
 */
async function atRest(app: SyncApp, stores: MortalStores): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet++) {
    await nextTurn();
    if (stores.hasEnded) return;
    const waiting = app.views.effects.list().filter((effect) => effect.waiting > 0);
    const failing = waiting.find(({ failures }) => failures > MOST_FAILURES);
    if (failing !== undefined) throw new Error(`${failing.name} failed ${failing.failures} times`);
    if (waiting.length > 0) quiet = 0;
  }
}
