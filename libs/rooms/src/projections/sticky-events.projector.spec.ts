import { describe, expect, it } from 'vitest';
import type { EventId } from '#kernel/ids';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, project, recordFacts, rowsOf, type StreamFact } from '#testing/project';
import { createRoomFactReader } from './room-fact-reader.js';
import { MOST_OF_ROOM, MOST_OF_USER, MOST_REFUSED_OF_USER, stickyEventsProjector } from './sticky-events.projector.js';

const ROOM = '!room:a.example';
const HOUR = 3_600_000;

interface Said {
  readonly at: number;
  readonly ms?: number;
  readonly sender?: string;
  readonly sentAt?: number;
  readonly more?: object;
  readonly body?: string;
}

let count = 0;

function said({ at, ms, sender = '@alice:a.example', sentAt = at, more = {}, body = '' }: Said): StreamFact {
  const sticky = ms === undefined ? {} : { msc4354_sticky: { duration_ms: ms } };
  const pdu = { type: 'a', sender, origin_server_ts: sentAt, depth: 1, content: { body }, prev_events: [], ...sticky };
  const told = { state: [], root: '', visibility: 'shared', room_version: '11', extremities: [] };
  const event_id = `$${++count}` as EventId;
  return { stream: `room-${ROOM}`, type: 'pdu-accepted', at, data: { event_id, ...told, ...more, pdu } };
}

const refused = (what: Said): StreamFact => ({ ...said(what), type: 'pdu-soft-failed' });

function lifted(fact: StreamFact, at: number): StreamFact {
  return { stream: `room-${ROOM}`, type: 'soft-failure-lifted', at, data: { event_id: idOf(fact) } };
}

function redacted(fact: StreamFact, at: number): StreamFact {
  const { event_id } = fact.data as { event_id: EventId };
  const data = { event_id, redacted_by: '$by', room_version: '11', pdu: { type: 'a', content: {} } };
  return { stream: `room-${ROOM}`, type: 'pdu-redacted', at, data };
}

const idOf = ({ data }: StreamFact): EventId => (data as { event_id: EventId }).event_id;

/** The events that are sticky, in their order, and until when the last of them is. */
async function stickyAfter(facts: readonly StreamFact[]): Promise<{ events: EventId[]; until: unknown }> {
  return toldBy(await project(stickyEventsProjector(createRoomFactReader()), facts));
}

function toldBy(rows: Record<string, unknown>): { events: EventId[]; until: unknown } {
  const events = Object.entries(rows).filter(([key]) => key.startsWith('sticky-events '));
  return { events: events.map(([, row]) => (row as { event: EventId }).event), until: rows[`sticky-rooms ${ROOM}`] };
}

describe('the rows of sticky events', () => {
  it('are of nothing but what is sticky when it comes', async () => {
    const facts = [
      said({ at: 1_000 }),
      said({ at: 1_000, ms: 0 }),
      said({ at: 9_000, sentAt: 1_000, ms: 8_000 }),
      said({ at: 9_000, ms: 500, more: { redacted_by: '$by' } }),
      said({ at: 9_000, ms: 500 }),
      said({ at: 9_000, sentAt: 99_000_000, ms: 2 * HOUR }),
    ];
    expect(await stickyAfter(facts)).toEqual({ events: facts.slice(4).map(idOf), until: String(9_000 + HOUR) });
  });

  it('go where what they say is over and another comes, and with a redaction', async () => {
    const facts = [
      said({ at: 1, ms: 10 }),
      said({ at: 2, ms: HOUR }),
      said({ at: 3, ms: 100 }),
      said({ at: 50, ms: 5 }),
    ];
    expect(await stickyAfter(facts)).toEqual({ events: facts.slice(1).map(idOf), until: String(2 + HOUR) });
    const more = [...facts, redacted(facts[1]!, 51)];
    expect(await stickyAfter(more)).toEqual({ events: [facts[2]!, facts[3]!].map(idOf), until: '103' });
    const none = [...more, redacted(facts[2]!, 52), redacted(facts[3]!, 53), redacted(facts[0]!, 54)];
    expect(await stickyAfter(none)).toEqual({ events: [], until: undefined });
  });

  it('are of what was soft-failed once it is let in, where it came then, and not before', async () => {
    const [bad, worse] = [refused({ at: 1, ms: HOUR }), refused({ at: 2, ms: HOUR, more: { unwanted: true } })];
    const [good, later] = [said({ at: 3, ms: HOUR }), said({ at: 5, ms: HOUR })];
    const facts = [bad, worse, refused({ at: 2, ms: 1 }), good];
    expect((await stickyAfter(facts)).events).toEqual([idOf(good)]);
    const letIn = [...facts, lifted(bad, 4), lifted(worse, 4), lifted(bad, 4), later];
    expect((await stickyAfter(letIn)).events).toEqual([good, bad, later].map(idOf));
    expect((await stickyAfter([...letIn, redacted(bad, 6)])).events).toEqual([good, later].map(idOf));
    expect((await stickyAfter([...facts, redacted(bad, 4), lifted(bad, 5)])).events).toEqual([idOf(good)]);
    expect((await stickyAfter([...facts, lifted(bad, 1 + HOUR)])).events).toEqual([idOf(good)]);
  });

  it('are of few that were soft-failed of a user, the newest', async () => {
    const many = Array.from({ length: MOST_REFUSED_OF_USER + 1 }, (_, n) => refused({ at: n + 1, ms: HOUR }));
    const facts = [...many, ...many.map((fact) => lifted(fact, 99))];
    expect((await stickyAfter(facts)).events).toEqual(many.slice(1).map(idOf));
  });

  it('are of less that was soft-failed, however few they are: each redaction of the room looks at them', async () => {
    const large = (n: number): StreamFact =>
      refused({ at: n + 1, ms: HOUR, sender: `@u${n}:b.example`, body: 'x'.repeat(60_000) });
    const many = Array.from({ length: 10 }, (_, n) => large(n));
    const { events } = await stickyAfter([...many, ...many.map((fact) => lifted(fact, 99))]);
    expect(events).toEqual(many.slice(4).map(idOf));
  });

  it('are so many of a user, the newest', async () => {
    const alices = Array.from({ length: MOST_OF_USER + 2 }, (_, n) => said({ at: n + 1, ms: HOUR }));
    const bobs = said({ at: 1, ms: HOUR, sender: '@bob:b.example' });
    const { events } = await stickyAfter([bobs, ...alices]);
    expect(events).toEqual([bobs, ...alices.slice(2)].map(idOf));
  });

  it('are so large together, the newest', async () => {
    const large = (at: number): StreamFact => said({ at, ms: HOUR, body: 'x'.repeat(1_500_000) });
    const facts = [large(1), said({ at: 2, ms: HOUR }), large(3), large(4)];
    expect((await stickyAfter(facts)).events).toEqual(facts.slice(1).map(idOf));
    expect((await stickyAfter([...facts, large(5)])).events).toEqual(
      [facts[3]!].map(idOf).concat(`$${count}` as EventId),
    );
  });

  it('are so many of a room, the newest', async () => {
    const facts = Array.from({ length: MOST_OF_ROOM + 2 }, (_, n) =>
      said({ at: n + 1, ms: HOUR, sender: `@u${n % 20}:b.example` }),
    );
    const [projector, store] = [stickyEventsProjector(createRoomFactReader()), new MemoryReadModels()];
    await applyFacts(projector, recordFacts(facts), store, 50);
    expect(toldBy(await rowsOf(projector, store)).events).toEqual(facts.slice(2).map(idOf));
  });
});
