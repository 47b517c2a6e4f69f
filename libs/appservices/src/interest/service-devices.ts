import type { AppService } from '#config/appservices/app-service';
import { deviceOfDeviceStream, type KeyCounts } from '#devices/facts/device-key-facts';
import { keyChangeOf } from '#devices/facts/key-changes';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId, UserId } from '#kernel/ids';
import type { Place } from '#kernel/position';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { ROOM_MEMBERS, USER_ROOMS } from '#rooms/projections/membership.projector';
import type { CurrentStateEvent } from '#rooms/projections/room-fact-reader';
import type { Passing } from './passing.js';
import type { ServiceRooms } from './service-rooms.js';

/** Who may read what is written in a room from now on: for them clients encrypt. */
const LISTED = ['join', 'invite'] as const;

/**
 * What a service has to know of devices, to encrypt for its users and to read what is encrypted for them (MSC3202): as clients learn it by
 * /sync, but for all of its users at once. Who shares a room with them is asked as of now.
 */
export class ServiceDevices {
  readonly #turn = new Turn();

  constructor(
    private readonly service: AppService,
    private readonly rooms: ServiceRooms,
    private readonly views: Pick<Views, 'scan' | 'history'>,
  ) {}

  /** Somebody's keys have changed. Throws ViewsUnavailable, as all that follows. */
  async lookAtKeys(fact: RecordedFact, passing: Passing): Promise<void> {
    const userId = keyChangeOf(fact)?.userId;
    if (userId !== undefined && (await this.knows(userId, fact.position))) {
      passing.addLists({ changed: [userId], left: [] });
    }
  }

  /** The keys of a device are more or less. */
  lookAtCounts({ stream, data }: RecordedFact, passing: Passing): void {
    const [userId, deviceId] = deviceOfDeviceStream(stream);
    if (!this.service.hasUser(userId)) return;
    const { after } = JSON.parse(data) as { readonly after?: KeyCounts }; // written by libs/devices; what ends the stream says nothing
    if (after === undefined) return;
    const isOfNow = after.history === this.views.history.name;
    passing.addDevice({ userId, deviceId, after: isOfNow ? after : { ...after, counts: {} } });
  }

  /** Members of a room have changed, of which the service heard before (`heard`) or hears now. */
  async lookAtMembers(
    roomId: RoomId,
    members: readonly CurrentStateEvent[],
    heard: boolean,
    place: Place,
    passing: Passing,
  ): Promise<void> {
    const hears = await this.rooms.hears(roomId, place);
    if (!heard && !hears) return;
    if (heard !== hears) {
      // It came, or went: everybody there is of interest.
      for await (const users of this.#listed(roomId)) {
        passing.addLists(
          hears ? { changed: users, left: [] } : { changed: [], left: await this.#strangers(users, place) },
        );
      }
      return;
    }
    const moved = members.map(({ change, content }) => [change.state_key as UserId, content['membership']] as const);
    const isListed = (membership: unknown): boolean => LISTED.some((one) => one === membership);
    const gone = moved.filter(([, membership]) => !isListed(membership)).map(([userId]) => userId);
    const changed = moved.filter(([, membership]) => isListed(membership)).map(([userId]) => userId);
    passing.addLists({ changed, left: await this.#strangers(gone, place) });
  }

  /** Whether somebody is one of the service's users, or joined to a room that it hears of. */
  async knows(userId: UserId, place: Place): Promise<boolean> {
    if (this.service.hasUser(userId)) return true;
    for await (const page of USER_ROOMS.pages(this.views, { prefix: [userId] })) {
      for (const { key, value } of page) {
        if (this.#turn.isOver()) await this.#turn.pass();
        if (value.membership === 'join' && (await this.rooms.hears(key[1], place))) return true;
      }
    }
    return false;
  }

  async #strangers(users: readonly UserId[], place: Place): Promise<UserId[]> {
    const strangers: UserId[] = [];
    for (const userId of users) {
      if (this.#turn.isOver()) await this.#turn.pass();
      if (!(await this.knows(userId, place))) strangers.push(userId);
    }
    return strangers;
  }

  async *#listed(roomId: RoomId): AsyncGenerator<UserId[], void> {
    for (const membership of LISTED) {
      for await (const page of ROOM_MEMBERS.pages(this.views, { prefix: [roomId, membership] })) {
        yield page.map(({ key }) => key[2]);
      }
    }
  }
}
