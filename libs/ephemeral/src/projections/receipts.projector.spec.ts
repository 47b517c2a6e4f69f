import { beforeEach, describe, expect, it } from 'vitest';
import { Aggregates } from '#event-store/aggregates';
import type { RecordedFact } from '#event-store/event-store';
import { marksStream } from '#kernel/user-stream';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { positionOf } from '#testing/position-of';
import { BatchRows } from '#projections/batch-rows';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { keyOfMark, type ReceiptSet } from '../facts/receipt-facts.js';
import { listReceipts, receiptContents } from '../queries/list-receipts.js';
import { type ReceiptRow, receiptsProjector } from './receipts.projector.js';

const room = '!room:x' as RoomId;
const [alice, bob] = ['@alice:x' as UserId, '@bob:x' as UserId];

let store: MemoryReadModels;
beforeEach(() => {
  store = new MemoryReadModels();
});

function receipt(nth: number, userId: UserId, data: Partial<ReceiptSet> = {}): RecordedFact {
  const full = { room_id: room, receipt_type: 'm.read', event_id: `$${nth}` as EventId, ...data };
  return {
    id: String(nth),
    stream: `marks-${userId}`,
    type: 'receipt-set',
    data: JSON.stringify(full),
    revision: nth,
    position: positionOf(nth),
    metadata: { at: 1000 + nth, actor: userId, schema: 1, chain: '' },
  };
}

async function project(...facts: RecordedFact[]): Promise<void> {
  for (const fact of facts) {
    const rows = new BatchRows(store, new Map(receiptsProjector.collections.map((name) => [name, name])));
    await receiptsProjector.project(fact, rows);
    await store.write(rows.writes);
  }
}

const list = (reader: UserId, upTo: number, after?: number, ignored: readonly UserId[] = []) =>
  listReceipts(store as unknown as Views, room, {
    reader: { userId: reader, ignored: new Set(ignored) },
    upTo: positionOf(upTo),
    after: after === undefined ? undefined : positionOf(after),
  });

describe('receipts', () => {
  it('keep the last of each user, type and thread', async () => {
    await project(receipt(1, alice), receipt(2, bob), receipt(3, alice), receipt(4, alice, { thread_id: 'main' }));
    const found = await list(bob, 9);
    expect(found.map((each) => [each.userId, each.thread, each.event_id, each.ts])).toEqual([
      [alice, '', '$3', 1003],
      [alice, 'main', '$4', 1004],
      [bob, '', '$2', 1002],
    ]);
  });

  it('are found by their last change alone, behind one position and up to another', async () => {
    await project(receipt(1, alice), receipt(2, bob), receipt(3, alice));
    expect((await list(bob, 9, 1)).map((each) => each.event_id)).toEqual(['$2', '$3']);
    expect((await list(bob, 2, 0)).map((each) => each.event_id)).toEqual(['$2']);
    expect(await list(bob, 9, 3)).toEqual([]);
  });

  it('come to the same when facts are applied again', async () => {
    const facts = [receipt(1, alice), receipt(2, bob), receipt(3, alice)];
    await project(...facts);
    const before = await list(bob, 9, 0);
    await project(facts[0]!, facts[2]!, ...facts);
    expect(await list(bob, 9, 0)).toEqual(before);
  });

  it('are the same when they are made anew of what is left in the log', async () => {
    const log = new MemoryEventStore();
    const end = { initialState: null, evolve: () => null, newestOnly: true } as const;
    let now = 0;
    const marks = new Aggregates({
      store: log,
      clock: { now: () => ++now },
      capacity: 9,
      ...end,
      lastOfEach: keyOfMark,
    });
    const set = (n: number, data: Partial<ReceiptSet>) => {
      const { data: text } = receipt(n, alice, data);
      const draft = { id: `${n}`, type: 'receipt-set', data: text };
      return marks.execute(marksStream(alice), () => [draft], { actor: alice });
    };
    await set(0, { thread_id: '$root' as EventId });
    let told = 0;
    for (let n = 1; n < 600; n++) {
      await set(n, n % 3 === 0 ? { thread_id: 'main' } : {});
      await project(...log.facts.slice(told));
      told = log.facts.length;
      if (n === 512) told = await shortened();
    }
    async function shortened(): Promise<number> {
      await marks.load(marksStream(alice)); // behind the shortening, which has its turn
      await project(...log.facts);
      return log.facts.length;
    }
    expect(log.facts.length).toBeLessThan(100);
    const rows = async () => [
      await store.scan('receipts', { limit: 10 }),
      await store.scan('receipts-log', { limit: 10 }),
    ];
    const live = await rows();
    expect(live[0]!.map(({ value }) => (JSON.parse(value) as ReceiptRow).ts)).toEqual([600, 1, 598]);
    store = new MemoryReadModels();
    await project(...log.facts);
    expect(await rows()).toEqual(live);
  });

  it('tell a private receipt to its owner only', async () => {
    await project(receipt(1, alice, { receipt_type: 'm.read.private' }));
    expect(await list(bob, 9)).toEqual([]);
    expect(await list(alice, 9, 0)).toHaveLength(1);
  });

  it('are one event for each thread, so that none hides another', async () => {
    const same = { event_id: '$e' as EventId };
    await project(receipt(1, alice, same), receipt(2, alice, { ...same, thread_id: 'main' }), receipt(3, bob, same));
    const contents = receiptContents(await list(bob, 9)).map((text) => JSON.parse(text) as object);
    expect(contents).toEqual([
      { $e: { 'm.read': { [alice]: { ts: 1001 }, [bob]: { ts: 1003 } } } },
      { $e: { 'm.read': { [alice]: { ts: 1002, thread_id: 'main' } } } },
    ]);
  });
});
