import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LogSink } from './log-sink.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-log-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasFull = process.platform === 'linux';

describe('the sink of the log', () => {
  it('writes lines in order, and says when they are written', async () => {
    const path = join(folder, 'lines');
    const descriptor = openSync(path, 'w');
    const sink = new LogSink(descriptor);
    for (let i = 0; i < 1000; i++) sink.write(`line ${i}\n`);
    await sink.flush(10_000);
    for (let i = 1000; i < 1010; i++) sink.write(`line ${i}\n`);
    await sink.flush(10_000);
    closeSync(descriptor);
    expect(readFileSync(path, 'utf8')).toBe(Array.from({ length: 1010 }, (_, i) => `line ${i}\n`).join(''));
    expect(sink.dropped).toBe(0);
  });

  it.runIf(hasFull)('drops and counts what a full disk has no room for, and goes on', async () => {
    const descriptor = openSync('/dev/full', 'w');
    const sink = new LogSink(descriptor, { maxWaiting: 100, retryMs: 5 });
    for (let i = 0; i < 30; i++) sink.write('0123456789');
    await sink.flush(50);
    expect(sink.dropped).toBe(20);
    sink.write('0123456789');
    expect(sink.dropped).toBe(21);
    // Left open: the sink goes on trying.
  });

  it.runIf(hasFull)('writes what waited once there is room again, and a line that tells of the rest', async () => {
    const full = openSync('/dev/full', 'w');
    const path = join(folder, 'later');
    const sink = new LogSink(full, { maxWaiting: 20, retryMs: 5 });
    sink.write('kept\n');
    for (let i = 0; i < 3; i++) sink.write('dropped for want of room\n');
    await sink.flush(20);
    // The same descriptor becomes a file with room: a disk that was cleared.
    closeSync(full);
    const cleared = openSync(path, 'w');
    expect(cleared).toBe(full);
    await sink.flush(5000);
    closeSync(cleared);
    const [kept, told] = readFileSync(path, 'utf8').split('\n');
    expect(kept).toBe('kept');
    expect(JSON.parse(told ?? '')).toMatchObject({ level: 40, dropped: 3 });
  });
});
