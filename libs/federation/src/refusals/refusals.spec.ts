import { beforeEach, describe, expect, it } from 'vitest';
import { TodaysEventStore } from '#event-store/todays-event-store';
import type { ServerName } from '#kernel/ids';
import { createLogger } from '#observability/logger';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { UncertainEventStore } from '#testing/uncertain-event-store';
import { readRefused, REFUSALS_STREAM, refusalsStream } from '../facts/refusal-facts.js';
import { Refusals } from './refusals.js';

const ORIGIN = 'b.example' as ServerName;
const MINUTE = 60_000;

let log: UncertainEventStore;
let elapsed: number;
let refusals: Refusals;

beforeEach(async () => {
  log = new UncertainEventStore();
  elapsed = 0;
  const clock = { now: () => 1_700_000_000_000 + elapsed, elapsed: () => elapsed };
  refusals = new Refusals(new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS), clock, await createLogger('silent'));
});

/** What the log tells of refusals in a stream, oldest first. */
async function told(stream = refusalsStream(ORIGIN)) {
  const facts = [];
  for await (const fact of log.readStream(stream)) facts.push(readRefused(fact));
  return facts;
}

const note = (event: string): void => refusals.note(ORIGIN, { kind: 'event', event_id: event, reason: 'why' });

describe('what is refused of another server', () => {
  it('is in the log two seconds later, with when, and nothing before', async () => {
    note('$1');
    await refusals.write();
    expect(await told()).toEqual([]);
    elapsed = 2_000;
    await refusals.write();
    expect(await told()).toEqual([
      { refusals: [{ kind: 'event', at: 1_700_000_000_000, event_id: '$1', reason: 'why' }] },
    ]);
  });

  it('is written once a minute at most, the first of it and how much there was besides', async () => {
    note('$first');
    elapsed = 2_000;
    await refusals.write();
    for (let i = 0; i < 1_000; i++) note(`$${i}`);
    elapsed += MINUTE - 1;
    await refusals.write();
    expect(await told()).toHaveLength(1);
    elapsed += 1;
    await refusals.write();
    const [, second] = await told();
    expect(second?.refusals.map(({ event_id: id }) => id)).toEqual(Array.from({ length: 16 }, (_, i) => `$${i}`));
    expect(second?.further).toBe(984);
  });

  it('fills no disk, however long it goes on and whatever its server writes', async () => {
    for (let i = 0; i < 200; i++) {
      note(`$${'x'.repeat(10_000)}`);
      elapsed += MINUTE;
      await refusals.write();
    }
    const facts = await told();
    expect(facts.length).toBeLessThanOrEqual(40);
    expect(JSON.stringify(facts).length).toBeLessThan(40 * 16 * 1_000);
    expect(facts.at(-1)?.refusals[0]?.at).toBe(1_700_000_000_000 + 199 * MINUTE);
  });

  it('makes no stream under a name that nobody proved to have, and hides no other name behind one', async () => {
    for (let i = 0; i < 1_000; i++) refusals.noteUnproven('made-up.example', 'The signature does not hold');
    refusals.noteUnproven('c.example', 'Its keys cannot be had');
    await refusals.write(true);
    const [fact] = await told(REFUSALS_STREAM);
    expect(fact?.refusals.map(({ server }) => server)).toEqual(['made-up.example', 'made-up.example', 'c.example']);
    expect(new Set(log.facts.map(({ stream }) => stream))).toEqual(new Set([REFUSALS_STREAM]));
  });

  it('is held of a thousand servers at a time', async () => {
    for (let i = 0; i < 1_100; i++) refusals.note(`s${i}.example` as ServerName, { kind: 'edu' });
    await refusals.write(true);
    expect(log.facts).toHaveLength(1_000);
  });

  it('is written later where the log is away, and with the end of the server', async () => {
    note('$1');
    log.breakNext('never done');
    await expect(refusals.write(true)).rejects.toThrow();
    note('$2');
    await refusals.onModuleDestroy();
    expect((await told()).flatMap((one) => one.refusals.map(({ event_id: id }) => id))).toEqual(['$1', '$2']);
  });
});
