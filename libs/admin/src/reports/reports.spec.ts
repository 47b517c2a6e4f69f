import { expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { REPORTS_STREAM } from '../facts/report-facts.js';
import { listReports, Reports } from './reports.js';

it('lets go of what is settled once that is much, and of nothing from the first open report on', async () => {
  const log = new MemoryEventStore();
  const reports = new Reports(log, { now: () => 0 });
  const report = async (i: number): Promise<number> => {
    const by = `@u${i % 10}:a.example` as UserId;
    await reports.add(by, { kind: 'room', room_id: '!r:a.example' as RoomId }, { reason: `${i}` }, { actor: by });
    return (await listReports(log)).at(-1)!.id;
  };
  const firstLeft = async (): Promise<number | undefined> => {
    for await (const { revision } of log.readStream(REPORTS_STREAM, { limit: 1 })) return revision;
    return undefined;
  };
  for (let i = 0; i < 499; i++) await reports.close(await report(i));
  const open = await report(499);
  const settled: number[] = [];
  for (let i = 500; i < 504; i++) settled.push(await report(i));
  for (const id of settled) await reports.close(id);
  expect(await firstLeft()).toBe(0);
  const last = await report(504);
  await reports.close(open);
  expect(await firstLeft()).toBe(last);
  expect(await listReports(log)).toMatchObject([{ id: last, isClosed: false, told: { reason: '504' } }]);
  await reports.close(last);
  expect((await listReports(log)).map(({ id, isClosed }) => [id, isClosed])).toEqual([[last, true]]);
}, 60_000);
