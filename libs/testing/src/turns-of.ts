import { vi } from 'vitest';

/** How many turns everything else had while work was done whose every step seems to take long. */
export async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5));
  let turns = 0;
  let counting: NodeJS.Immediate | undefined;
  const count = (): void => void (counting = setImmediate(() => (turns++, count())));
  try {
    count();
    await work();
    return turns;
  } finally {
    clearImmediate(counting);
    clock.mockRestore();
  }
}
