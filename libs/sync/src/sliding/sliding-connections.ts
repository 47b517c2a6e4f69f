import { Inject, Injectable } from '@nestjs/common';
import type { DeviceKey } from '#devices/facts/device-streams';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { CacheNumbers } from '#kernel/lru-cache';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { slidingStream, type SlidingTold } from '../facts/sliding-facts.js';
import {
  connectionsToClose,
  type DeviceConnections,
  findState,
  type FoldedBy,
  foldConnections,
  isExpired,
  isNoteDue,
  isSumDue,
  MOST_TOLD_BYTES,
  NO_CONNECTIONS,
  sumUp,
} from './device-connections.js';
import { type ToldChange, toldDataOf } from './told-state.js';
import { WantedStates } from './wanted-states.js';

/** How a client stands, and whether it is to be noted that it came, whatever it is told. */
export interface FoundConnection extends ToldChange {
  readonly isNoteDue: boolean;
}

/** A device, by whom it is asked for. */
type Device = Pick<Requester, 'userId' | 'deviceId'>;

const DEVICES = 5_000;

/**
 * What the connections of sliding sync were told: in a stream for each device, so that they outlive a restart. Only what an answer
 * changes in how its client stands to rooms is noted: a message in a room that the client follows changes nothing but its place.
 */
@Injectable()
export class SlidingConnections {
  readonly #streams: Aggregates<DeviceConnections>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    private readonly wanted: WantedStates,
  ) {
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: DEVICES,
      initialState: NO_CONNECTIONS,
      evolve: (state, fact, revision) => foldConnections(state, fact, revision, this.#foldedBy),
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  get #foldedBy(): FoldedBy {
    return { history: this.views.history.name, parse: this.wanted.parse };
  }

  /** How a client stands that comes with the answer at a revision; undefined where that is not known (any more). */
  async find({ userId, deviceId }: Device, connId: string, revision: number): Promise<FoundConnection | undefined> {
    const { state } = await this.#streams.load(slidingStream([userId, deviceId]));
    const connection = state.connections.get(connId);
    const told = findState(connection, revision);
    const now = this.clock.now();
    if (connection === undefined || told === undefined || isExpired(connection, now)) return undefined;
    told.forgetBefore();
    return { rooms: told.rooms, extensions: told.extensions, isNoteDue: isNoteDue(connection, now) };
  }

  /**
   * Notes what an answer changes, to a client that came with what it was answered at the revision `after` or begins the connection
   * (null). Answers the revision of the fact. Throws M_UNKNOWN_POS where the connection was closed or begun anew meanwhile, or so much
   * changed that the client had better begin anew.
   */
  async note({ userId, deviceId }: Device, connId: string, after: number | null, change: ToldChange): Promise<number> {
    const stream = slidingStream([userId, deviceId]);
    const data: SlidingTold = { conn: connId, after, history: this.#foldedBy.history, ...toldDataOf(change) };
    const decide = (state: DeviceConnections): FactDraft[] => {
      if (after !== null && findState(state.connections.get(connId), after) === undefined)
        throw new MatrixError('M_UNKNOWN_POS');
      const closed = connectionsToClose(state, connId, this.clock.now());
      const draft = draftOf({ type: 'sliding-told', data: closed.length === 0 ? data : { ...data, closed } });
      if (after !== null && Buffer.byteLength(draft.data) > MOST_TOLD_BYTES) throw new MatrixError('M_UNKNOWN_POS');
      return [draft];
    };
    const { state, revision } = await this.#streams.execute(stream, decide, { actor: userId, device: deviceId });
    // What is not summed up now is with the next change.
    if (isSumDue(state)) void this.#sumUp(stream, { actor: userId, device: deviceId }).catch(() => {});
    return revision as number; // something was appended
  }

  /** Says once more what counts of a device's connections, and lets go what was said before. */
  async #sumUp(stream: string, cause: Cause): Promise<void> {
    const decide = (state: DeviceConnections): FactDraft[] => {
      if (!isSumDue(state)) return [];
      const sums = sumUp(state, this.#foldedBy.history, this.clock.now());
      if (sums.length === 0) return [draftOf({ type: 'sliding-closed', data: {} })];
      return sums.map((sum) => draftOf({ type: 'sliding-summed-up', data: sum }));
    };
    const { facts, revision } = await this.#streams.execute(stream, decide, cause);
    if (facts.length > 0) await this.store.truncate(stream, (revision as number) - facts.length + 1);
  }

  /** Forgets the connections of a device that is gone. Answers whether there were any. */
  close([userId, deviceId]: DeviceKey): Promise<boolean> {
    const over = draftOf({ type: 'sliding-closed', data: {} });
    return this.#streams.end(slidingStream([userId, deviceId]), over, { actor: 'server' });
  }
}
