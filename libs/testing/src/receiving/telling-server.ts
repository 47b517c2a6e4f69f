import type { EventId, ServerName } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { PeerRefused } from '#kernel/peer-errors';
import type { PeerRequest } from '#federation/peers/peers';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { pduTextOf } from '#rooms/facts/fact-text';
import { resolveStates } from '#rooms/receive/resolve-states';
import type { MemoryRoom } from './memory-room.js';

/** What is asked of a server, by the last word of the path but for ids: `get_missing_events`, `state_ids`, `event` ... */
export interface Asked {
  readonly server: ServerName;
  readonly what: string;
  readonly path: string;
}

type Answer = (query: URLSearchParams, parts: readonly string[], content: JsonObject) => Promise<JsonObject>;

/** Other servers that tell all they have of a room, as they are asked by `Peers`. */
export class TellingServer {
  /** All that was asked, in order. */
  readonly asked: Asked[] = [];
  /** What a test lets it answer otherwise. */
  readonly otherwise = new Map<string, Answer>();
  /** What is told in place of an event. */
  readonly altered = new Map<EventId, JsonObject>();

  constructor(private readonly room: MemoryRoom) {}

  isLeftAlone(): boolean {
    return false;
  }

  onAwake(): () => void {
    return () => {};
  }

  async ask(server: ServerName, { path, content = {} }: PeerRequest): Promise<JsonObject> {
    const url = new URL(path, 'http://x');
    const parts = url.pathname.split('/').slice(4).map(decodeURIComponent);
    const what = parts[0]!;
    this.asked.push({ server, what, path });
    const answer = this.otherwise.get(what) ?? this.#answers[what];
    if (answer === undefined) throw new PeerRefused(404, { errcode: 'M_UNRECOGNIZED' });
    return answer(url.searchParams, parts.slice(1), content);
  }

  async askBytes(server: ServerName, request: PeerRequest): Promise<Uint8Array> {
    return Buffer.from(canonicalJson(await this.ask(server, request), { lenient: true }));
  }

  /** How often something was asked. */
  count(what: string): number {
    return this.asked.filter((one) => one.what === what).length;
  }

  /** The event as it is told. */
  pdu(eventId: EventId): JsonObject {
    const altered = this.altered.get(eventId);
    if (altered !== undefined) return altered;
    const fact = this.room.facts.find(({ data }) => data.startsWith(`{"event_id":"${eventId}"`));
    if (fact === undefined) throw new PeerRefused(404, { errcode: 'M_NOT_FOUND' });
    return parseJson(pduTextOf(fact.data), { lenient: true }) as JsonObject;
  }

  readonly #answers: Readonly<Record<string, Answer>> = {
    event: async (_, [eventId]) => ({ pdus: [this.pdu(eventId as EventId)] }),
    state_ids: async (query) => {
      const { state, chain } = await this.#stateBefore(query.get('event_id') as EventId);
      return { pdu_ids: state, auth_chain_ids: chain };
    },
    state: async (query) => {
      const { state, chain } = await this.#stateBefore(query.get('event_id') as EventId);
      return { pdus: this.#pdus(state), auth_chain: this.#pdus(chain) };
    },
    event_auth: async (_, parts) => ({ auth_chain: this.#pdus(this.#chainOf([parts[1] as EventId])) }),
    get_missing_events: async (_query, _parts, { earliest_events: earliest, latest_events: latest, limit }) => {
      const stop = new Set(earliest as EventId[]);
      return { events: this.#pdus(this.#before(latest as EventId[], Number(limit), stop).toReversed()) };
    },
    backfill: async (query) => {
      const from = query.getAll('v') as EventId[];
      const rest = this.#before(from, Number(query.get('limit')) - from.length, new Set());
      return { pdus: this.#pdus([...from, ...rest]) };
    },
  };

  #pdus(ids: readonly EventId[]): JsonValue[] {
    return ids.map((id) => this.pdu(id));
  }

  /** The events before some, the nearest first. */
  #before(from: readonly EventId[], limit: number, stop: ReadonlySet<EventId>): EventId[] {
    const found = new Set<EventId>();
    for (let level = [...from]; level.length > 0 && found.size < limit;) {
      const parents = level.flatMap((id) => this.#event(id).prevEvents);
      level = [...new Set(parents)].filter((id) => !stop.has(id) && !found.has(id) && this.room.known.has(id));
      for (const id of level) if (found.size < limit) found.add(id);
    }
    return [...found];
  }

  #event(eventId: EventId) {
    const known = this.room.known.get(eventId);
    if (known === undefined) throw new PeerRefused(404, { errcode: 'M_NOT_FOUND' });
    return known.event;
  }

  #chainOf(ids: readonly EventId[]): EventId[] {
    const chain = new Set<EventId>();
    const visit = (id: EventId): void => {
      for (const each of this.#event(id).authEvents) {
        if (chain.has(each)) continue;
        chain.add(each);
        visit(each);
      }
    };
    ids.forEach(visit);
    return [...chain];
  }

  async #stateBefore(eventId: EventId): Promise<{ state: EventId[]; chain: EventId[] }> {
    const states = this.#event(eventId).prevEvents.map((id) => this.room.after(id));
    const before = await resolveStates(states, this.room);
    const state = Array.from(before.entries(), (entry) => entry.eventId as EventId);
    return { state, chain: this.#chainOf(state) };
  }
}
