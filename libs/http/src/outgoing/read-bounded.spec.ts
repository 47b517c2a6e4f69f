import { Readable } from 'node:stream';
import { expect, it, vi } from 'vitest';
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

it('everything else has its turn while a large body is put together', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 5)); // as if each piece took that long
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const pieces = Array.from({ length: 100 }, (_, i) => bytes.subarray(i * 1000, (i + 1) * 1000));
  let turns = 0;
  const count = (): void => void (counting = setImmediate(() => (turns++, count())));
  let counting: NodeJS.Immediate | undefined;
  try {
    const read = await readBounded(Readable.from(pieces), undefined, 1_000_000, async (soFar) => {
      if (soFar === bytes.length) count();
    });
    expect(read.equals(bytes)).toBe(true);
    expect(turns).toBeGreaterThan(50);
  } finally {
    clearImmediate(counting);
    clock.mockRestore();
  }
});
