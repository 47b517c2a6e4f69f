import { Turn } from './turn.js';

/**
 * Does the same for each of many, so many at a time, and answers what each came to, in their order. What they wait for is at hand mostly, which
 * is no wait: so everything else has its turn in between. Throws as the first that fails; what others
 * are under way goes on behind that, and no more is begun once `atOnce` have failed.
 */
export async function eachInTurns<T, R>(all: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const answers = Array.from<R>({ length: all.length });
  const turn = new Turn(1);
  const mayBegin = async (): Promise<void> => {
    if (turn.isOver()) await turn.pass();
  };
  // One begins after another: what was waited for all at once would go on all in one turn.
  let gate = Promise.resolve();
  let next = 0;
  const workOff = async (): Promise<void> => {
    for (;;) {
      await (gate = gate.then(mayBegin));
      if (next >= all.length) return;
      const at = next++;
      answers[at] = await work(all[at]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, workOff));
  return answers;
}
