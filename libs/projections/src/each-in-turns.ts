import { Slots } from '#kernel/slots';
import { Turn } from './turn.js';

/**
 * Does the same for each of many, so many at a time, and answers what each came to, in their order. What they wait for is at hand mostly, which
 * is no wait: so everything else has its turn in between. Throws as the first that fails.
 */
export function eachInTurns<T, R>(all: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const slots = new Slots(atOnce);
  const turn = new Turn(1);
  const inTurn = async (one: T): Promise<R> => {
    if (turn.isOver()) await turn.pass();
    return work(one);
  };
  return Promise.all(all.map((one) => slots.run(() => inTurn(one))));
}
