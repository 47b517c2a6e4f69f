import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DelayedEvents } from '#calls/delayed-events';
import { DELAYED_EVENTS, delayedEventsProjector } from '#calls/projections/delayed-events.projector';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { BatchRows } from '#projections/batch-rows';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { SendDelayedEvents } from './send-delayed-events.effect.js';

const ALICE = '@alice:a.example' as UserId;
const START = 1_000_000;

let rows: BatchRows;
let asked: string[];
let sent: string[];
let effect: SendDelayedEvents;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  rows = new BatchRows(new MemoryReadModels(), new Map(delayedEventsProjector.collections.map((name) => [name, name])));
  [asked, sent] = [[], []];
  const sendWhenDue: DelayedEvents['sendWhenDue'] = async (_, id) => {
    asked.push(id);
    const { since = 0, delay = 0 } = (await DELAYED_EVENTS.get(rows, [id]))!;
    if (since + delay > Date.now()) return since + delay;
    sent.push(id);
    return undefined;
  };
  const logger = { warn: () => {} };
  effect = new SendDelayedEvents(
    { sendWhenDue } as DelayedEvents,
    rows as unknown as Views,
    { now: () => Date.now() },
    logger as never,
  );
});
afterEach(() => {
  effect.end();
  vi.useRealTimers();
});

function scheduled(id: string, at: number, delay: number): RecordedFact {
  DELAYED_EVENTS.put(rows, [id], { userId: ALICE, since: at, delay });
  return {
    id,
    stream: `delayed-${ALICE}`,
    type: 'event-delayed',
    data: JSON.stringify({ delay_id: id, running_since: at, delay }),
    revision: 0,
    position: positionOf(1),
    metadata: { at, actor: ALICE, schema: 1, chain: '' },
  };
}

describe('what is due', () => {
  it('is sent in its time where it was scheduled meanwhile', async () => {
    await effect.begin();
    await vi.advanceTimersByTimeAsync(10);
    await effect.run(scheduled('new', START + 10, 5_000));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual(['new']);
  });

  it('waits for who could not restart it before the start, also where it is heard of once more', async () => {
    const old = scheduled('old', START - 60_000, 8_000);
    const late = scheduled('late', START - 60_000, 59_000);
    await effect.begin();
    for (const fact of [old, late]) await effect.run(fact);
    await vi.advanceTimersByTimeAsync(7_999);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual(['old']);
    await vi.advanceTimersByTimeAsync(22_000);
    expect(sent).toEqual(['old', 'late']);
  });

  it('is sent soon once a clock is right that had gone back while the server was away', async () => {
    await effect.begin();
    await effect.run(scheduled('leave', START + 3_600_000, 8_000));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toEqual([]);
    vi.setSystemTime(START + 3_700_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toEqual(['leave']);
  });

  it('waits for longer than a timer can', async () => {
    await effect.begin();
    const month = 30 * 24 * 60 * 60_000;
    await vi.advanceTimersByTimeAsync(1);
    await effect.run(scheduled('far', START + 1, month));
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    expect(asked).toEqual(['far']);
    // Most of the month at once: each minute of it costs a turn of the event loop.
    vi.setSystemTime(START + 1 + month - 90_000);
    await vi.advanceTimersByTimeAsync(90_000 - 1);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual(['far']);
  });
});
