import { closeSync, openSync, readSync } from 'node:fs';

/**
 * How long the main thread worked at most before a timer had its turn, in milliseconds of its own processor time: other work on the
 * machine does not count; and how many turns were longer than `mostMs`. Undefined where the system does not tell.
 */
export function watchTurns(mostMs: number): { stop(): { longest: number; beyond: number } | undefined } {
  let file: number | undefined;
  try {
    file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  } catch {
    return { stop: () => undefined };
  }
  const told = Buffer.alloc(64);
  const now = (): number => Number(told.toString('latin1', 0, readSync(file!, told, 0, 64, 0)).split(' ')[0]) / 1e6;
  let last = now();
  let longest = 0;
  let beyond = 0;
  const timer = setInterval(() => {
    const at = now();
    longest = Math.max(longest, at - last);
    if (at - last > mostMs) beyond++;
    last = at;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      if (file !== undefined) closeSync(file);
      file = undefined;
      return { longest, beyond };
    },
  };
}
