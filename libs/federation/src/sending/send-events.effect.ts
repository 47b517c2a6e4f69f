import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { isToSend, pduTextOf } from '#rooms/facts/fact-text';
import { contentOf } from '#rooms/facts/pdu-fields';
import { type PduAccepted, roomIdOfStream } from '#rooms/facts/room-facts';
import { MEMBERSHIP_LOG } from '#rooms/projections/membership-log';
import { Destinations } from './destinations.js';
import { type DurableEdu, EDU_SOURCES, type EduSource } from './edu-source.js';
import { Handed, type OutgoingItem } from './handed.js';
import { HandingOver } from './handing-over.js';
import { textOfEdu } from './missed-by-destination.js';
import { isOfPartial, mayMoveMembers } from './known-servers.js';
import { ServersInRooms } from './servers-in-rooms.js';
import { StickyForServer } from './sticky-for-server.js';

/** Something for some servers, as it is sent. */
interface Addressed extends Pick<OutgoingItem, 'kind' | 'text'> {
  readonly servers: Iterable<ServerName>;
  readonly accepted?: DurableEdu['accepted'];
}

/** As many facts as may be under way, and more. */
const MOST_REMEMBERED = 12_000;

/**
 * Sends what happens here to the other servers: each event of this server, and each that another one gave it to hand on, to all servers that
 * were in the room before it; to a server that comes to a room what is sticky there; and what `EduSource`s make of facts. A fact has ended once each server has what is of it, or is noted as one
 * that is behind: so what is done is kept by the log with no note of a transaction. After a crash some of it is sent again, and
 * whoever gets it knows it by its id.
 */
@Injectable()
export class SendEvents implements Effect {
  readonly name = 'federation';
  readonly handsOver = true;
  #ending = new AbortController();
  #handing = this.#beginHanding();
  /** What was given of facts since this process began to send, the last of them: it is waited for again, and not given again. */
  readonly #given = new Map<Position, Handed>();

  constructor(
    private readonly destinations: Destinations,
    private readonly servers: ServersInRooms,
    @Inject(EDU_SOURCES) private readonly sources: readonly EduSource[],
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly sticky: StickyForServer,
  ) {}

  begin(): Promise<void> {
    this.#ending = new AbortController();
    this.#handing = this.#beginHanding();
    this.#given.clear();
    return this.destinations.begin();
  }

  end(): void {
    this.#ending.abort();
    this.destinations.end();
  }

  #beginHanding(): HandingOver<readonly Addressed[]> {
    const parts = {
      read: (fact: RecordedFact) => this.#read(fact),
      confirm: () => this.views.confirm(),
      give: (fact: RecordedFact, found: readonly Addressed[]) => this.#give(fact, found),
    };
    return new HandingOver(parts, this.#ending.signal);
  }

  /** PERF: of an event of a room in which nobody else is it looks at the text and into a map (`npm run bench -- federation`). */
  keyOf(fact: RecordedFact): string | undefined {
    return this.#isToSend(fact) || this.sources.some((source) => source.concerns(fact)) ? fact.stream : undefined;
  }

  #isToSend(fact: RecordedFact): boolean {
    const movesMembers = mayMoveMembers(fact);
    // What is asked for the next facts must not be of before this one.
    if (movesMembers || isOfPartial(fact)) this.servers.hear([fact]);
    if (movesMembers && this.sticky.mayBringServer(fact)) return true;
    if (fact.type !== 'pdu-accepted' || !isToSend(fact.data)) return false;
    return movesMembers || !this.servers.isNobodyElseIn(roomIdOfStream(fact.stream), fact.position);
  }

  async run(fact: RecordedFact): Promise<boolean> {
    if (!this.#given.has(fact.position)) await this.#handing.run(fact);
    await this.#given.get(fact.position)?.ended;
    // That nothing is left to do is noted now and then, and not for each fact.
    return false;
  }

  #give({ stream, revision, position, metadata }: RecordedFact, found: readonly Addressed[]): void {
    const handed = new Handed({ stream, revision, position, at: metadata.at });
    handed.add();
    for (const { servers, kind, text, accepted } of found) {
      for (const server of servers) {
        handed.add();
        this.destinations.send(server, { kind, text, handed, accepted: accepted && (() => accepted(server)) });
      }
    }
    handed.settle();
    this.#given.set(position, handed);
    if (this.#given.size > MOST_REMEMBERED) this.#given.delete(this.#given.keys().next().value!);
  }

  async #read(fact: RecordedFact): Promise<readonly Addressed[]> {
    const found: Addressed[] = [];
    for (const source of this.sources) {
      if (!source.concerns(fact)) continue;
      for (const { destinations: servers, edu } of await source.edusOf(fact)) {
        found.push({ servers, kind: 'edu', text: textOfEdu(edu), accepted: edu.accepted });
      }
    }
    const roomId = roomIdOfStream(fact.stream);
    if (this.sticky.mayBringServer(fact)) found.push(...(await this.#readSticky(roomId, fact)));
    if (fact.type !== 'pdu-accepted' || !isToSend(fact.data)) return found;
    const { sender, ended } = mayMoveMembers(fact) ? await this.#readMember(roomId, fact) : {};
    const before = await this.servers.before(roomId, fact.position);
    const isReceiver = (server: ServerName): boolean => server !== sender && server !== this.config.serverName;
    const text = pduTextOf(fact.data);
    const servers = sender !== undefined && before.has(sender) ? [...before].filter(isReceiver) : before;
    found.push({ servers, kind: 'pdu', text });
    if (ended !== undefined && !before.has(ended) && isReceiver(ended))
      found.push({ servers: [ended], kind: 'pdu', text });
    return found;
  }

  /** What is sticky, for a server that comes to the room. */
  async #readSticky(roomId: RoomId, fact: RecordedFact): Promise<Addressed[]> {
    const told = await this.sticky.toNewcomer(fact, await this.servers.before(roomId, fact.position));
    return told === undefined ? [] : told.pdus.map((text) => ({ servers: [told.server], kind: 'pdu', text }));
  }

  /** Whose event it is, and the server of whoever it ends an invitation or a knock of. */
  async #readMember(
    roomId: RoomId,
    fact: RecordedFact,
  ): Promise<{ readonly sender: ServerName; readonly ended?: ServerName }> {
    const { pdu } = JSON.parse(fact.data) as PduAccepted; // written by the room's worker
    const sender = serverNameOf(pdu['sender'] as UserId);
    const target = pdu['state_key'];
    if (pdu['type'] !== 'm.room.member' || typeof target !== 'string' || !isUserId(target)) return { sender };
    const { membership } = contentOf(pdu);
    // Whoever is invited anew, or knocked and is invited, has that from the handshake.
    const isEnd = membership !== 'join' && membership !== 'invite' && membership !== 'knock';
    return isEnd && (await this.#wasAsked(roomId, target, fact)) ? { sender, ended: serverNameOf(target) } : { sender };
  }

  /** Whether somebody was invited, or knocked, before a fact: then their server hears of the end of that. */
  async #wasAsked(roomId: RoomId, userId: UserId, { position }: RecordedFact): Promise<boolean> {
    const before = [roomId, userId, position] as const;
    const range = { prefix: [roomId, userId], before, reverse: true, limit: 1 } as const;
    const [last] = await MEMBERSHIP_LOG.scan(this.views, range);
    return last?.value.membership === 'invite' || last?.value.membership === 'knock';
  }
}
