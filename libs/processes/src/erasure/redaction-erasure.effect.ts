import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import type { EventId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { namesMedia } from '#media/media-in-text';
import { UnshownMedia } from '#media/unshown-media';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { relationOf } from '#protocol/relation';
import { type PduAccepted, type PduRejected, type PduRedacted, roomIdOfStream } from '#rooms/facts/room-facts';
import { erasableTail, pduTextOf } from '#rooms/facts/fact-text';
import { contentOf } from '#rooms/facts/pdu-fields';
import { listFactsOfEvent } from '#rooms/queries/list-facts-of-event';

/**
 * What remains of an event, with the events that it named, for the views are to be the same when they are made anew: what it related
 * to and how (threads count it), and what it redacts. What it annotated that with goes.
 */
function withReferences(remains: string, { data }: RecordedFact): string {
  const isRelated = data.includes('"m.relates_to"');
  if (!isRelated && !data.includes('"redacts"')) return remains;
  const { redacts, ...whole } = JSON.parse(pduTextOf(data)) as JsonObject;
  const named = redacts === undefined ? {} : { redacts };
  const content = contentOf(whole);
  const { relType, parent } = relationOf(content) ?? {};
  const relation =
    relType === undefined || parent === undefined ? {} : { 'm.relates_to': { event_id: parent, rel_type: relType } };
  const pdu = parseJson(remains, { lenient: true }) as JsonObject;
  const kept = { ...contentOf(pdu), ...relation };
  return canonicalJson({ ...pdu, ...named, content: kept }, { lenient: true });
}

/** What a fact says in the place of why it rejected an event that is redacted: that may have quoted it. */
const NOT_TOLD = 'not told any more';

/** What remains of events that are redacted, as text. */
type Remains = ReadonlyMap<EventId, string>;

/** What a fact has of events: its own, where it is about one, and those that it carries. */
type Held = PduAccepted & Partial<PduRejected>;

/** The erasable part of a fact with what remains of events in the place of these, be it the fact's own or some that it carries. */
function tailWith(fact: RecordedFact, { event_id: own, state_pdus: carried, reason }: Held, remains: Remains): string {
  const left =
    carried && Object.entries(carried).map(([id, text]) => [id, remains.get(id as EventId) ?? text] as const);
  const state_pdus = left && Object.fromEntries(left);
  if (fact.type === 'change-told') return erasableTail({ state_pdus }, undefined);
  const ofOwn = remains.get(own);
  if (ofOwn === undefined) return erasableTail({ state_pdus, reason }, pduTextOf(fact.data));
  const told = { state_pdus, reason: reason === undefined ? undefined : NOT_TOLD };
  return erasableTail(told, withReferences(ofOwn, fact));
}

/** Those of some events that a fact has, with their texts. */
function* textsIn({ type, data }: RecordedFact, held: Held, remains: Remains): Generator<readonly [EventId, string]> {
  if (type !== 'change-told' && remains.has(held.event_id)) yield [held.event_id, pduTextOf(data)];
  for (const [id, text] of Object.entries(held.state_pdus ?? {}))
    if (remains.has(id as EventId)) yield [id as EventId, text];
}

/** So many redactions of a room are seen to at once at most. */
const AT_ONCE = 100;

/** A redaction whose content is to go. */
interface Waiting {
  readonly fact: RecordedFact;
  readonly resolve: (isDone: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Erases from the log what a redaction took away, from every fact that holds it. The views have shown only what remains of the
 * event since `pdu-redacted`; from here on nobody finds more in the log either. What media it showed is noted before, for nobody knows after.
 */
@Injectable()
export class RedactionErasure implements Effect {
  readonly name = 'redaction-erasure';
  readonly fromStart = true;
  /** By room: what has not begun, while something is under way. */
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() private readonly media?: UnshownMedia,
  ) {}

  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    return type === 'pdu-redacted' ? `${stream} ${eventOf(data)}` : undefined;
  }

  /**
   * Those of one room are done one after another, for a fact may carry several events: what was read of it before another one went would bring that back. PERF: what
   * comes while some are under way is done together, for each write waits for the disk.
   */
  run(fact: RecordedFact): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const one = { fact, resolve, reject };
      const waiting = this.#waiting.get(fact.stream);
      if (waiting === undefined) void this.#runAll(fact.stream, [one]);
      else waiting.push(one);
    });
  }

  async #runAll(stream: string, waiting: Waiting[]): Promise<void> {
    this.#waiting.set(stream, waiting);
    await nextTurn();
    while (waiting.length > 0) await this.#runSome(stream, waiting.splice(0, AT_ONCE));
    this.#waiting.delete(stream);
  }

  /** Where some cannot be done together each is by itself, so that one is at no other's mercy. */
  async #runSome(stream: string, some: readonly Waiting[]): Promise<void> {
    try {
      const erased = await this.#erase(
        stream,
        new Map(some.map(({ fact: { data } }) => [eventOf(data), pduTextOf(data)])),
      );
      for (const { fact, resolve } of some) resolve(erased.has(eventOf(fact.data)));
    } catch (error) {
      if (some.length === 1) return some[0]!.reject(error);
      for (const one of some) await this.#runSome(stream, [one]);
    }
  }

  /** Answers the events of which there was more than remains. */
  async #erase(stream: string, remains: Remains): Promise<ReadonlySet<EventId>> {
    const erased = new Set<EventId>();
    const tails = new Map<number, string>();
    for (const eventId of remains.keys()) {
      for (const revision of await listFactsOfEvent(this.views, roomIdOfStream(stream), eventId)) {
        if (tails.has(revision)) continue;
        for await (const fact of this.store.readStream(stream, { from: revision, limit: 1, inParts: true })) {
          const held = JSON.parse(fact.data) as Held; // rooms wrote it
          const tail = tailWith(fact, held, remains);
          const { erasable } = fact.metadata;
          if (erasable === undefined || fact.data.slice(erasable) === tail) continue;
          for (const [id, text] of textsIn(fact, held, remains)) {
            erased.add(id);
            if (namesMedia(text)) await this.media?.note(text, String((JSON.parse(text) as JsonObject)['sender']));
          }
          tails.set(revision, tail);
        }
      }
    }
    // Nothing is read again while some of it is under way.
    const ends = await Promise.allSettled(
      [...tails].map(([revision, tail]) => this.store.erase(stream, revision, tail)),
    );
    const failed = ends.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined;
    if (failed !== undefined) throw failed.reason;
    return erased;
  }
}

function eventOf(redacted: string): EventId {
  return (JSON.parse(redacted) as PduRedacted).event_id;
}
