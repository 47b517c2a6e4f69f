import { Inject, Injectable } from '@nestjs/common';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { RoomId, UserId } from '#kernel/ids';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { heldStream, type InvitationHeld } from '../facts/held-invitation-facts.js';
import { HELD_INVITATIONS } from '../projections/held-invitations.projector.js';

/** Whose invitation to which room. */
export type HeldInvitation = Pick<InvitationHeld, 'room_id' | 'sender'>;
/** Those that are held, by their names (`nameOf`). Of a room several may be: what one sends shows nothing of another. */
export type Held = ReadonlyMap<string, HeldInvitation>;

const CAPACITY = 1_000;
/**
 * To so many rooms they are held of one user; who asks for more is refused: to show others for them would show what the user does not want to see. What is
 * in a room that is here already can be refused no more, and is held in any case: of that there is no more than there are rooms.
 */
const MOST_HELD = 200;
/** So many are held to one room: more than other servers may have there at once. Of more that of the newest is held no longer, for that of the next. */
const MOST_TO_ROOM = 16;
export const NOTHING_HELD: Held = new Map();

/** The invitations of a user that are held, behind a fact of their stream. */
export function evolveHeld(held: Held, { type, data }: Pick<NewFact, 'type' | 'data'>): Held {
  const { room_id, sender } = JSON.parse(data) as InvitationHeld; // written below
  const [next, invitation] = [new Map(held), { room_id, sender }];
  if (type === 'invitation-held') next.set(nameOf(invitation), invitation);
  else next.delete(nameOf(invitation));
  return next;
}

const isFull = (held: Held): boolean =>
  held.size >= MOST_HELD && new Set([...held.values()].map((one) => one.room_id)).size >= MOST_HELD;
const nameOf = ({ room_id: roomId, sender }: HeldInvitation): string => `${roomId} ${sender}`;

/** The write side of invitations that their users are not shown for now. */
@Injectable()
export class HeldInvitations {
  readonly #streams: Aggregates<Held>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenProcessed'>,
  ) {
    this.#streams = new Aggregates<Held>({
      store,
      clock,
      capacity: CAPACITY,
      initialState: NOTHING_HELD,
      evolve: evolveHeld,
      lastOfEach: ({ data }) => nameOf(JSON.parse(data) as InvitationHeld),
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /** What is held of a user. */
  async list(userId: UserId): Promise<Held> {
    return (await this.#streams.load(heldStream(userId))).state;
  }

  /** Whether no more are held of a user. */
  async isFull(userId: UserId): Promise<boolean> {
    return isFull(await this.list(userId));
  }

  /**
   * What somebody sends, or will have sent in a moment, is not shown to the user, once this settles. Throws M_INVITE_BLOCKED where no more are
   * held of them, unless nobody can refuse it (`isTaken`: the room takes it).
   */
  hold(userId: UserId, roomId: RoomId, sender: UserId, cause: Cause, isTaken = false): Promise<boolean> {
    const data = { room_id: roomId, sender };
    return this.#change(userId, cause, (held) => {
      if (held.has(nameOf(data))) return [];
      const beside = [...held.values()].filter((one) => one.room_id === roomId);
      if (!isTaken && beside.length === 0 && isFull(held)) throw new MatrixError('M_INVITE_BLOCKED');
      return [{ type: 'invitation-held', data }, ...beside.slice(MOST_TO_ROOM - 1).map((one) => released(one))];
    });
  }

  /** Invitations are shown to the user again. Answers whether any was held. */
  release(userId: UserId, invitations: readonly HeldInvitation[], cause: Cause): Promise<boolean> {
    return this.#change(userId, cause, (held) =>
      invitations.filter((one) => held.has(nameOf(one))).map((one) => released(one)),
    );
  }

  /** Lets go of what is held of a user whose account is closed, and of what was. Answers whether any was held. */
  async end(userId: UserId, cause: Cause): Promise<boolean> {
    const stream = heldStream(userId);
    const { revision, facts } = await this.#streams.executeLast(
      stream,
      (held) => [...held.values()].map((one) => draftOf(released(one, true))),
      cause,
    );
    if (typeof revision === 'number' && revision > 0) await this.store.truncate(stream, revision);
    return facts.length > 0;
  }

  async #change(
    userId: UserId,
    cause: Cause,
    decide: (held: Held) => readonly { readonly type: string; readonly data: InvitationHeld }[],
  ): Promise<boolean> {
    const stream = heldStream(userId);
    const { position, facts } = await this.#streams.execute(stream, (held) => decide(held).map(draftOf), cause);
    if (facts.length > 0) await this.views.whenProcessed(position, [HELD_INVITATIONS.name]);
    return facts.length > 0;
  }
}

function released(invitation: HeldInvitation, ended?: true): { readonly type: string; readonly data: InvitationHeld } {
  return { type: 'invitation-released', data: { ...invitation, ...(ended === true ? { ended } : {}) } };
}
