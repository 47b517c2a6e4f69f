import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore, ExpectedRevision, NewFact } from '#event-store/event-store';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { sealFacts } from '#event-store/seal-facts';
import { START } from '#kernel/position';
import { sampleEvent } from './measure.js';

const SECONDS = 3;
const data = JSON.stringify(sampleEvent());

/**
 * How fast the embedded log is by itself, on this disk: durable appends of one fact, by one writer and by many on streams of
 * their own; appends of a hundred; reading it all again. Lines of text.
 */
export async function benchAppend(directory?: string): Promise<string[]> {
  const folder = directory ?? (await mkdtemp(join(tmpdir(), 'annals-bench-')));
  const store = await openLmdbEventStore(folder);
  const lines: string[] = [];
  try {
    for (const writers of [1, 8, 64, 256]) {
      const rate = await appendFor(store, writers, 1);
      lines.push(`${rate.padStart(9)} appends/s  by ${writers} writers, one fact each`);
    }
    lines.push(`${(await appendFor(store, 1, 100)).padStart(9)} appends/s  by 1 writer, a hundred facts each`);
    const start = performance.now();
    let facts = 0;
    for await (const batch of store.readAll({ after: START })) facts += batch.length;
    lines.push(`${perSecond(facts, start).padStart(9)} facts/s    read back`);
  } finally {
    await store.close();
    if (directory === undefined) await rm(folder, { recursive: true });
  }
  return lines;
}

async function appendFor(store: EventStore, writers: number, facts: number): Promise<string> {
  const start = performance.now();
  let appends = 0;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      const stream = `room-!${randomUUID()}:example.org`;
      let expected: ExpectedRevision = 'no-stream';
      while (performance.now() - start < SECONDS * 1000) {
        expected = (await store.append(stream, expected, Array.from({ length: facts }, someFact))).revision;
        appends++;
      }
    }),
  );
  return perSecond(appends, start);
}

function someFact(): NewFact {
  const fact = { id: randomUUID(), type: 'pdu-accepted', data, at: Date.now(), actor: '@someone:example.org' };
  return sealFacts(undefined, [fact])[0]!;
}

function perSecond(count: number, start: number): string {
  return String(Math.round((count / (performance.now() - start)) * 1000));
}
