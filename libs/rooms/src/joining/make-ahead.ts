import { setImmediate as nextTurn } from 'node:timers/promises';

/** How many groups are worked on at once. */
const AHEAD = 4;

/**
 * Cuts what comes one after another into groups and hands on what is made of each, in order. Some groups are worked on ahead, so
 * that other cores have work while the caller goes on; other work of the event loop has its turn before each.
 */
export async function* makeAhead<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  size: number,
  make: (group: readonly T[]) => Promise<R>,
): AsyncGenerator<R> {
  const made: Promise<R>[] = [];
  let group: T[] = [];
  const begin = (): void => {
    const one = make(group);
    // It is awaited in its turn; until then nobody else is to hear that it failed.
    one.catch(() => {});
    made.push(one);
    group = [];
  };
  for await (const one of source) {
    group.push(one);
    if (group.length < size) continue;
    begin();
    await nextTurn();
    if (made.length >= AHEAD) yield made.shift()!;
  }
  if (group.length > 0) begin();
  for (const one of made) yield one;
}
