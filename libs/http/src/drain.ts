/** One thing to end, and how long it may take at most. */
export interface DrainStep {
  readonly name: string;
  readonly milliseconds: number;
  run(): void | Promise<void>;
}

/** What the drain tells of itself. */
export interface DrainLog {
  warn(fields: object, text: string): void;
}

/**
 * Runs the steps one after another. A step that fails or takes too long is logged and passed over: the next ones still have
 * their turn, and the whole takes a bounded time. Answers whether all went well.
 */
export async function drain(steps: readonly DrainStep[], log: DrainLog): Promise<boolean> {
  let isClean = true;
  for (const step of steps) {
    try {
      await withinTime(step);
    } catch (error) {
      isClean = false;
      log.warn({ step: step.name, err: error }, 'could not end in order');
    }
  }
  return isClean;
}

async function withinTime(step: DrainStep): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${step.milliseconds} ms`)), step.milliseconds);
  });
  try {
    await Promise.race([Promise.resolve(step.run()), late]);
  } finally {
    clearTimeout(timer);
  }
}
