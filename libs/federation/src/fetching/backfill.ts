import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { EventId, RoomId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { RunsUnderWay } from '#kernel/runs-under-way';
import { VIEWS, type Views } from '#projections/views';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { HistoryElsewhere } from '#rooms/history-elsewhere';
import { findPartial } from '#rooms/queries/partial-rooms';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { pathOf } from '../peers/path-of.js';
import { depthOf, idOf, namedIds } from '../receive/told-pdu.js';
import { AskServers, type LargeQuestion } from './ask-servers.js';
import { Errand } from './errand.js';
import { edgesOf, MissingEvents } from './missing-events.js';
import { readEvents } from './read-events.js';
import { isPlaced, ReceiveHelped } from './receive-helped.js';

/** How many events are fetched at once: other servers give a hundred at most. */
const MOST = 100;
/** As many of them, at most, get the state before them: one, where the room did not fork. */
const MOST_EDGES = 5;
const DEPTHS = 1_000;
const LONGEST_MS = 2 * 60_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** Fetches history of rooms from the servers in them: server-server API, "Backfilling and retrieving missing events". */
@Injectable()
export class Backfill implements HistoryElsewhere {
  /** By room and events: who asks for the same waits for the same. */
  readonly #underWay = new RunsUnderWay<string, boolean>();
  /** By room and event: a client may ask for one that is news again and again, until it comes. */
  readonly #depths = new LruCache<string, number>(DEPTHS);

  constructor(
    private readonly servers: AskServers,
    private readonly help: ReceiveHelped,
    private readonly missing: MissingEvents,
    private readonly received: ReceivedEvents,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  fetch(roomId: RoomId, from: readonly EventId[], limit: number): Promise<boolean> {
    const name = [roomId, ...from].join(' ');
    return this.#underWay.run(name, () => this.#fetch(roomId, from, Math.min(limit, MOST)));
  }

  /** For metrics: depths of events that are not here. */
  get numbers(): CacheNumbers {
    return this.#depths.numbers;
  }

  async findDepth(roomId: RoomId, eventId: EventId): Promise<number | undefined> {
    const name = `${roomId} ${eventId}`;
    const known = this.#depths.get(name);
    if (known !== undefined) return known;
    const depth = await this.#askDepth(roomId, eventId);
    if (depth !== undefined) this.#depths.set(name, depth);
    return depth;
  }

  async #askDepth(roomId: RoomId, eventId: EventId): Promise<number | undefined> {
    const version = await this.received.findVersion(roomId);
    if (version === undefined) return undefined;
    const errand = new Errand(roomId, [], undefined, LONGEST_MS);
    const servers = await this.servers.listServers(roomId, []);
    const answer = await this.help.fetchEvent(errand, eventId, version, servers);
    return answer.kind === 'answered' && answer.value['room_id'] === roomId ? depthOf(answer.value) : undefined;
  }

  async #fetch(roomId: RoomId, from: readonly EventId[], limit: number): Promise<boolean> {
    const [first] = from;
    const version = await this.received.findVersion(roomId);
    if (first === undefined || version === undefined) return false;
    // What is fetched is judged by the state at it, which rests on that of the join.
    if ((await findPartial(this.views, roomId)) !== undefined) return false;
    const errand = new Errand(roomId, [], undefined, LONGEST_MS);
    const question: LargeQuestion<readonly Pdu[]> = {
      name: 'backfill',
      eventId: first,
      request: {
        method: 'GET',
        path: pathOf('/_matrix/federation/v1/backfill/:roomId', { roomId }, { v: from, limit }),
        maxBytes: MAX_BYTES,
      },
      readBytes: async (bytes) => {
        const found = await readEvents(bytes, 'pdus', MOST);
        return found?.length === 0 ? undefined : found;
      },
    };
    const answer = await this.servers.ask(errand, question, await this.servers.listServers(roomId, []));
    if (answer.kind !== 'answered') return false;
    const past = pastOf(from, answer.value, version);
    const hasCome = await this.#take(new Errand(roomId, [answer.server], undefined, LONGEST_MS), version, past);
    // What it told is no event, or all here: it is not asked again whenever somebody reads on.
    if (!hasCome) this.servers.blame(question, answer.server);
    return hasCome;
  }

  /** Answers whether any of them has its place in the room now, and had none before. */
  async #take(errand: Errand, version: RoomVersion, pdus: readonly Pdu[]): Promise<boolean> {
    const [server] = errand.first;
    // Only an order to begin with: what comes before its parents waits for them.
    const sorted = pdus.toSorted((a, b) => depthOf(a) - depthOf(b));
    const received = await this.help.pdus(errand, server!, version, sorted, { isHistory: true });
    const waiting = new Map(received.flatMap((one) => (one.kind === 'missing' ? [[one.eventId, one] as const] : [])));
    let hasCome = received.some(isPlaced);
    for (const edge of edgesOf(waiting).slice(0, MOST_EDGES)) {
      if (await this.missing.supply(errand, version, edge)) hasCome = true;
    }
    if (hasCome) await this.views.whenProcessed(await this.store.head());
    return hasCome;
  }
}

/**
 * Those of some events that the given ones are, or stand on. Only these are of the past for sure: what a server tells besides may be
 * news, and what was taken for the past changes nothing any more.
 */
function pastOf(from: readonly EventId[], pdus: readonly Pdu[], version: RoomVersion): Pdu[] {
  const byId = new Map(pdus.map((pdu) => [idOf(pdu, version), pdu]));
  const past = new Set<Pdu>();
  for (let level = from; level.length > 0;) {
    const found = level.flatMap((id) => {
      const pdu = byId.get(id);
      return pdu === undefined || past.has(pdu) ? [] : [pdu];
    });
    for (const pdu of found) past.add(pdu);
    level = found.flatMap(({ prev_events: parents }) => namedIds(parents));
  }
  return [...past];
}
