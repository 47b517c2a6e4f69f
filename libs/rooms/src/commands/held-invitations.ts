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

/** Whose invitation to which rooms is held. */
export type Held = ReadonlyMap<RoomId, UserId>;

const CAPACITY = 1_000;
/** So many are held of one user; more are refused: to show others for them would show what the user does not want to see. */
const MOST_HELD = 200;
export const NOTHING_HELD: Held = new Map();

/** The invitations of a user that are held, behind a fact of their stream. */
export function evolveHeld(held: Held, { type, data }: Pick<NewFact, 'type' | 'data'>): Held {
  const { room_id: roomId, sender } = JSON.parse(data) as InvitationHeld; // written below
  const next = new Map(held);
  next.delete(roomId);
  if (type === 'invitation-held') next.set(roomId, sender);
  return next;
}

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
      lastOfEach: ({ data }) => (JSON.parse(data) as InvitationHeld).room_id,
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
    return (await this.list(userId)).size >= MOST_HELD;
  }

  /**
   * What somebody sends, or will have sent in a moment, is not shown to the user, once this settles. Throws M_INVITE_BLOCKED where no more are
   * held of them.
   */
  hold(userId: UserId, roomId: RoomId, sender: UserId, cause: Cause): Promise<boolean> {
    return this.#change(userId, cause, (held) => {
      if (held.get(roomId) === sender) return [];
      if (!held.has(roomId) && held.size >= MOST_HELD) throw new MatrixError('M_INVITE_BLOCKED');
      return [{ type: 'invitation-held', data: { room_id: roomId, sender } }];
    });
  }

  /** Invitations are shown to the user again. Answers whether any was held. */
  release(userId: UserId, roomIds: readonly RoomId[], cause: Cause): Promise<boolean> {
    return this.#change(userId, cause, (held) =>
      roomIds.flatMap((roomId) => {
        const sender = held.get(roomId);
        return sender === undefined ? [] : [released(roomId, sender)];
      }),
    );
  }

  /** Lets go of what is held of a user whose account is closed, and of what was. Answers whether any was held. */
  async end(userId: UserId, cause: Cause): Promise<boolean> {
    const stream = heldStream(userId);
    const { revision, facts } = await this.#streams.execute(
      stream,
      (held) => [...held].map(([roomId, sender]) => draftOf(released(roomId, sender, true))),
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

function released(
  roomId: RoomId,
  sender: UserId,
  ended?: true,
): { readonly type: string; readonly data: InvitationHeld } {
  return { type: 'invitation-released', data: { room_id: roomId, sender, ...(ended === true ? { ended } : {}) } };
}
