import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readBounded } from './read-bounded.js';

it('a body is read on once its reader lets it', async () => {
  let given = 0;
  const body = Readable.from(
    (function* () {
      for (; given < 100; given++) yield Buffer.alloc(1000);
    })(),
    { objectMode: false, highWaterMark: 1000 },
  );
  const asked: number[] = [];
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const reading = readBounded(body, undefined, 1_000_000, async (bytes) => {
    if (asked.push(bytes) === 3) await held;
  });
  await expect.poll(() => asked.length).toBe(3);
  expect(given).toBeLessThan(20);
  goOn();
  expect((await reading).length).toBe(100_000);
  expect(asked.at(-1)).toBe(100_000);
});
