import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { type ServerName, serverNameOf } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { isToSend, pduTextOf } from '#rooms/facts/fact-text';
import { roomStream } from '#rooms/facts/room-facts';
import { listNewestPdus } from '#rooms/queries/list-newest-pdus';
import { type DurableEdu, type Edu, EDU_SOURCES, type EduSource } from './edu-source.js';
import { roomsActiveSince } from './rooms-active-since.js';
import { type LeftRoom, ServersInRooms } from './servers-in-rooms.js';
import { StickyForServer } from './sticky-for-server.js';
import { MOST_EDUS, MOST_PDUS } from '../transaction-limits.js';

/** What fits into one transaction. Each is canonical JSON. */
export interface Missed {
  readonly pdus: readonly string[];
  readonly edus: readonly string[];
  /** To be called once the server has it. */
  readonly accepted?: () => void;
}

/**
 * What a server that was away has to be told: of each room it is in, and in which something has happened since, what came last there, for it
 * asks for all before that itself, and before that what is sticky, which it may not ask for; of rooms that it was put out of, and of invitations and knocks of its users that ended, that event; and
 * all EDUs that must not be lost.
 */
@Injectable()
export class MissedByDestination {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(EDU_SOURCES) private readonly sources: readonly EduSource[],
    private readonly servers: ServersInRooms,
    private readonly sticky: StickyForServer,
  ) {}

  /** From the fact at a position on, that one too. Throws where the log or the views are away. */
  async *since(server: ServerName, since: Position): AsyncGenerator<Missed, void> {
    // Before the events: keys come before what is encrypted with them.
    for (const source of this.sources) yield* inTransactions(server, source.missedBy(server, since));
    let pdus: string[] = [];
    for await (const found of this.#pdusOf(server, since)) {
      pdus.push(...found);
      for (; pdus.length >= MOST_PDUS; pdus = pdus.slice(MOST_PDUS)) yield { pdus: pdus.slice(0, MOST_PDUS), edus: [] };
    }
    if (pdus.length > 0) yield { pdus, edus: [] };
    // In rows that somebody threw away meanwhile not all was found.
    await this.views.confirm();
  }

  async *#pdusOf(server: ServerName, since: Position): AsyncGenerator<string[], void> {
    for (const left of await this.servers.roomsLeftSince(server, since)) yield await this.#endOf(left);
    for (const ended of await this.servers.asksEndedSince(server, since)) yield await this.#endOf(ended);
    const rooms = await this.servers.roomsOf(server);
    for await (const roomId of roomsActiveSince(this.views, rooms, since)) {
      const newest = await listNewestPdus(this.store, this.views, roomId);
      const sticky = await this.sticky.missedBy(server, roomId, since);
      const others = newest.filter(({ sender, text }) => serverNameOf(sender) !== server && !sticky.includes(text));
      yield [...sticky, ...others.map(({ text }) => text)];
    }
  }

  /** The event by which a server has to do with a room no more, where it is for this one to tell. */
  async #endOf({ roomId, revision }: LeftRoom): Promise<string[]> {
    for await (const fact of this.store.readStream(roomStream(roomId), { from: revision, limit: 1, inParts: true })) {
      return fact.type === 'pdu-accepted' && isToSend(fact.data) ? [pduTextOf(fact.data)] : [];
    }
    return [];
  }
}

async function* inTransactions(
  server: ServerName,
  found: AsyncIterable<readonly DurableEdu[]>,
): AsyncGenerator<Missed, void> {
  const missedOf = (edus: readonly DurableEdu[]): Missed => ({
    pdus: [],
    edus: edus.map(textOfEdu),
    accepted: () => edus.forEach(({ accepted }) => accepted?.(server)),
  });
  let edus: DurableEdu[] = [];
  for await (const some of found) {
    edus.push(...some);
    for (; edus.length >= MOST_EDUS; edus = edus.slice(MOST_EDUS)) yield missedOf(edus.slice(0, MOST_EDUS));
  }
  if (edus.length > 0) yield missedOf(edus);
}

/** An EDU as it is sent. */
export function textOfEdu({ edu_type, content }: Edu): string {
  return canonicalJson({ edu_type, content }, { lenient: true });
}
