import type { AppService } from '#config/appservices/app-service';
import type { AliasCreated, AliasDeleted } from '#directory/facts/alias-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { userIdOfElsewhere } from '#rooms/facts/elsewhere-facts';
import { changesNoState, isOfThePast } from '#rooms/facts/fact-text';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import type { RoomFactReader } from '#rooms/projections/room-fact-reader';
import { hasToWait } from '#rooms/projections/waiting-redactions';
import { ServiceRooms } from './service-rooms.js';

/** The types of facts that an application service may have to hear of, or by which changes of what it hears. */
export const FOLLOWED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'state-taken',
  'membership-told',
  'alias-created',
  'alias-deleted',
]);

/**
 * What of the log an application service hears of: facts are shown to it one after another, in their order. "An application service is said
 * to be interested in a given event if it matches any of the namespaces" (application service API, "Registration").
 */
export class ServiceInterest {
  readonly #rooms: ServiceRooms;

  constructor(
    private readonly service: AppService,
    private readonly reader: RoomFactReader,
    views: Pick<Views, 'scan'>,
  ) {
    this.#rooms = new ServiceRooms(service, views);
  }

  /** Whether the fact holds an event that the service is to be sent. Throws ViewsUnavailable; then the same fact can be shown again. */
  async isFor(fact: RecordedFact): Promise<boolean> {
    switch (fact.type) {
      case 'pdu-accepted':
        return !isOfThePast(fact.data) && this.#isEventFor(fact);
      case 'state-taken':
        this.#follow(fact);
        return false;
      case 'membership-told':
        // What others make of its users in rooms that are not here.
        return this.service.hasUser(userIdOfElsewhere(fact.stream));
      case 'alias-created':
      case 'alias-deleted':
        this.#rooms.forgetAliases((JSON.parse(fact.data) as AliasCreated | AliasDeleted).room_id);
        return false;
      default:
        return false;
    }
  }

  /** PERF: of most events nothing is parsed but, of rooms that it hears of, redactions. */
  async #isEventFor(fact: RecordedFact): Promise<boolean> {
    const hears = await this.#rooms.hears(roomIdOfStream(fact.stream), fact.position);
    const movesMembers = mayMoveMembers(fact);
    if (movesMembers) this.#follow(fact);
    if (!hears && !(movesMembers && this.#isAboutUser(fact))) return false;
    return !fact.data.includes('"m.room.redaction"') || !hasToWait(this.reader.accepted(fact).data);
  }

  #isAboutUser(fact: RecordedFact): boolean {
    const { pdu } = this.reader.accepted(fact).data;
    return pdu['type'] === 'm.room.member' && this.service.hasUser(pdu['state_key'] as UserId); // no other text is one of its users
  }

  #follow(fact: RecordedFact): void {
    if (!mayMoveMembers(fact)) return;
    this.#rooms.follow(roomIdOfStream(fact.stream), this.reader.accepted(fact).members);
  }
}

function mayMoveMembers({ data }: RecordedFact): boolean {
  return !changesNoState(data) && data.includes('"m.room.member"');
}
