/** For how long the last may keep the others waiting, once half of all are done. */
const LATE_MS = 100;
/** It is counted in so many steps: while the event loop is held, nobody can be late. */
const STEPS = 4;

interface Work {
  /** Undefined where it is done already. */
  readonly pending: Promise<void> | undefined;
}

/**
 * Waits for work that is done side by side. Answers those that keep the others waiting for too long, if any: at most half of
 * them. Rejects as soon as one does.
 */
export function settleTogether<W extends Work>(works: readonly W[]): Promise<ReadonlySet<W>> {
  const open = new Set(works.filter(({ pending }) => pending !== undefined));
  return new Promise((resolve, reject) => {
    let steps = 0;
    let timer: NodeJS.Timeout | undefined;
    const look = (): void => {
      if (open.size === 0) {
        clearInterval(timer);
        resolve(open);
      } else if (timer === undefined && open.size * 2 <= works.length) {
        timer = setInterval(() => {
          if (++steps < STEPS) return;
          clearInterval(timer);
          resolve(new Set(open));
        }, LATE_MS / STEPS);
      }
    };
    for (const work of open) {
      work.pending?.then(
        () => {
          open.delete(work);
          look();
        },
        (error: unknown) => {
          clearInterval(timer);
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    }
    look();
  });
}
