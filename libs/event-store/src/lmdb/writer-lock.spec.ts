import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { findWriter, takeWriterLock } from './writer-lock.js';

const parent = mkdtempSync(join(tmpdir(), 'annals-lock-'));
afterAll(() => rmSync(parent, { recursive: true }));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(parent, 'log-'));
});

/** A process that listened as a writer does, and was killed: its socket stays. */
async function killedWriter(): Promise<void> {
  const path = join(directory, 'writer-1-0a.sock');
  const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('listens'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the right to write into a directory', () => {
  it('is given to one at a time, who is named to the others', async () => {
    const lock = await takeWriterLock(directory);
    await expect(takeWriterLock(directory)).rejects.toThrow(`another process (${process.pid})`);
    expect(await findWriter(directory)).toBe(process.pid);
    await lock.release();
    expect(await findWriter(directory)).toBeUndefined();
    await (await takeWriterLock(directory)).release();
  });

  it('is free at once after a process was killed, whose socket the next one clears away', async () => {
    await killedWriter();
    expect(readdirSync(directory)).toEqual(['writer-1-0a.sock']);
    const lock = await takeWriterLock(directory);
    expect(readdirSync(directory)).toEqual([expect.stringMatching(new RegExp(`^writer-${process.pid}-`))]);
    await lock.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('is given to one at the most, however many ask for it at once', async () => {
    await killedWriter();
    for (let round = 0; round < 20; round++) {
      const asked = await Promise.allSettled(Array.from({ length: 5 }, () => takeWriterLock(directory)));
      const taken = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      expect(taken.length).toBeLessThanOrEqual(1);
      for (const lock of taken) await lock.release();
    }
  });
});
