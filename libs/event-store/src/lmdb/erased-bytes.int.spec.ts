import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startScript } from '#testing/start-script';
import type { EventStore, NewFact, RecordedFact } from '../event-store.js';
import { sealFacts, verifyChain } from '../seal-facts.js';
import { openLmdbEventStore } from './lmdb-event-store.js';

let folder: string;
let store: EventStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'annals-erased-'));
  store = await openLmdbEventStore(folder);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function reopen(): Promise<void> {
  await store.close();
  store = await openLmdbEventStore(folder);
}

/** Of this no four letters are familiar: where it stands first in a fact, the file has it as it is. */
const MARK = 'jwqz vkxp zgfb hrjq';

function said(text: string): NewFact {
  const head = `{"from":"${randomBytes(12).toString('hex')}","text":`;
  const data = `${head}${JSON.stringify(text)}}`;
  const draft = { id: randomUUID(), type: 'said', data, erasable: head.length, at: 1, actor: '@zoë:example.org' };
  return sealFacts(undefined, [draft])[0]!;
}

/** How often the file holds the mark, whatever LMDB thinks is there. */
function marks(): number {
  const bytes = readFileSync(join(folder, 'data.mdb'));
  let count = 0;
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + 1)) count++;
  return count;
}

it.each([
  ['short', 1, 'null}'],
  ['long', 80, 'null}'],
  ['of many pages', 2000, 'null}'],
  ['put in the place of a shorter one', 1, `"${'x'.repeat(700)}"}`],
])('leaves nothing in the file of what was erased: %s', async (_, times, tail) => {
  for (let n = 0; n < 300; n++) {
    const text = n % 3 === 0 ? `${n} ${MARK} `.repeat(times) : 'y'.repeat(n * 5);
    await store.append(`room-${n % 7}`, n < 7 ? 'no-stream' : Math.floor(n / 7) - 1, [said(text)]);
  }
  expect(marks()).toBeGreaterThan(100);
  for (let n = 0; n < 300; n += 3) {
    await store.erase(`room-${n % 7}`, Math.floor(n / 7), tail);
    if (n % 30 === 0) await store.append(`later-${n}`, 'no-stream', [said('z'.repeat(n * 9))]);
  }
  await store.close();
  expect(marks()).toBe(0);
});

it('leaves nothing in the file of what was truncated', async () => {
  for (let n = 0; n < 300; n++) {
    const text = n < 200 ? `${n} ${MARK} `.repeat(n) : 'y';
    await store.append('room', n === 0 ? 'no-stream' : n - 1, [said(text)]);
  }
  await store.truncate('room', 200);
  await store.close();
  expect(marks()).toBe(0);
});

it('overwrites soon what was erased, in a file that does not grow for it', async () => {
  await store.append('room', 'no-stream', [said(`${MARK} `.repeat(300))]);
  await store.erase('room', 0, 'null}');
  await expect.poll(marks).toBe(0);
  for (let n = 0; n < 10; n++) {
    for (let each = 0; each < 10; each++) {
      await store.append('room', n * 10 + each, [said(`${MARK} `.repeat(300))]);
      await store.erase('room', n * 10 + each + 1, 'null}');
    }
    await reopen();
  }
  expect(marks()).toBe(0);
  expect(readFileSync(join(folder, 'data.mdb')).length).toBeLessThan(4 * 1024 * 1024);
});

it('has erased what it said it had when it is killed in the middle, and overwrites that after the next start', async () => {
  await store.close();
  const script = await startScript('libs/event-store/src/lmdb/endless-eraser.ts', [folder, MARK]);
  const acknowledged = new Set<number>();
  for await (const line of createInterface({ input: script.process.stdout! })) {
    acknowledged.add(Number(line));
    if (acknowledged.size === 200) script.process.kill('SIGKILL');
  }
  await script.remove();
  expect(marks()).toBeGreaterThan(0);
  store = await openLmdbEventStore(folder);
  const facts: RecordedFact[] = [];
  for await (const fact of store.readStream('room')) facts.push(fact);
  expect(acknowledged.size).toBeGreaterThanOrEqual(200);
  for (const [n, fact] of facts.entries()) {
    expect(verifyChain(facts[n - 1]?.metadata.chain, fact)).toBe(true);
    const isErased = fact.data.endsWith(':null}');
    expect(isErased).toBe(fact.metadata.erased !== undefined);
    if (acknowledged.has(n)) expect(isErased).toBe(true);
    else if (!isErased) await store.erase('room', n, 'null}');
  }
  await reopen();
  expect(marks()).toBe(0);
});
