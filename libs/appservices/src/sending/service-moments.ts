import type { AppService } from '#config/appservices/app-service';
import type { Presence } from '#ephemeral/presence/presence';
import type { Typing } from '#ephemeral/typing/typing';
import type { RoomId, UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { ServiceInterest } from '../interest/service-interest.js';
import { renderPresence, renderTyping } from '../texts/render-ephemeral.js';

/** So many rooms, and users, are remembered of which something is to be told: of others it is not. */
const MOST = 1_000;
/** So much is told at once, in UTF-16 units. */
const MOST_TEXT = 100_000;

/**
 * What of the moment an application service is to be told: who types where, and who is there. It is in the memory of this process alone and may
 * be lost; of each room and user only the last counts.
 */
export class ServiceMoments {
  readonly #rooms = new Set<RoomId>();
  readonly #users = new Set<UserId>();
  /** Of what was told last, which may have been told too early. */
  #told: { readonly rooms: readonly RoomId[]; readonly users: readonly UserId[] } = { rooms: [], users: [] };
  readonly #stops: readonly (() => void)[];

  constructor(
    service: AppService,
    private readonly typing: Pick<Typing, 'onChange' | 'listTyping'>,
    private readonly presence: Pick<Presence, 'onChange' | 'find'>,
    onNew: () => void,
  ) {
    const note = <T>(all: Set<T>, one: T): void => {
      if (all.size >= MOST) return;
      all.add(one);
      onNew();
    };
    this.#stops = service.receivesEphemeral
      ? [
          typing.onChange((roomId) => note(this.#rooms, roomId)),
          presence.onChange((userId, change) => {
            if (change !== 'forgotten' && change.ofOthers) note(this.#users, userId);
          }),
        ]
      : [];
  }

  get isEmpty(): boolean {
    return this.#rooms.size === 0 && this.#users.size === 0;
  }

  /** What is to be told now, or some of it, each an event as JSON text: it is told once. `place`: up to where the service has been shown the log. */
  async take(interest: ServiceInterest, place: Position): Promise<string[]> {
    const told: string[] = [];
    const [rooms, users]: [RoomId[], UserId[]] = [[], []];
    let text = 0;
    const tell = (event: string): void => {
      told.push(event);
      text += event.length;
    };
    for (const roomId of this.#rooms) {
      if (text > MOST_TEXT) break;
      this.#rooms.delete(roomId);
      rooms.push(roomId);
      if (await interest.hears(roomId, place)) tell(renderTyping(roomId, this.typing.listTyping(roomId)));
    }
    for (const userId of this.#users) {
      if (text > MOST_TEXT) break;
      this.#users.delete(userId);
      users.push(userId);
      // "a presence update for a user an application service shares a room with, or matching one of the application service's namespaces."
      if (await interest.knows(userId, place)) tell(renderPresence(userId, this.presence.find(userId)));
    }
    this.#told = { rooms, users };
    return told;
  }

  /** As `take`, with what was taken last, as it is by now: for that was not sent. */
  takeAnew(interest: ServiceInterest, place: Position): Promise<string[]> {
    for (const roomId of this.#told.rooms) this.#rooms.add(roomId);
    for (const userId of this.#told.users) this.#users.add(userId);
    return this.take(interest, place);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
