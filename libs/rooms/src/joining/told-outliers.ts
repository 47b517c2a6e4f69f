import { Turn } from '#projections/turn';
import type { ServerName } from '#kernel/ids';
import { bytesInLog, inGroups, MOST_IN_A_WRITE } from '../facts/log-limits.js';
import { AuthOrder } from '../receive/auth-order.js';
import { judgeOutlier } from '../receive/judge-outlier.js';
import type { PreparedPdu, StoredOutlier } from '../receive/outcome.js';
import { checkJoin } from '../worker/join-in-turn.js';
import { storeOutlier } from '../worker/receive-in-turn.js';
import type { RoomWorkers } from '../worker/room-workers.js';
import type { JoiningRoom } from './joining-room.js';

/** PERF: so many are written at once; measured by bench/joining.ts. */
const WRITTEN_AT_ONCE = 128;

/** The events that another server tells of a room: each is judged after those that authorise it, and written while more are judged. */
export class ToldOutliers {
  readonly #order: AuthOrder<PreparedPdu>;
  #refused = 0;
  /** Judged, and to be written next. */
  #judged: StoredOutlier[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** `begun`: the revision of the fact that began the join. */
  constructor(
    private readonly room: JoiningRoom,
    private readonly begun: number,
    private readonly origin: ServerName,
    private readonly workers: RoomWorkers,
  ) {
    this.#order = new AuthOrder((eventId) => room.has(eventId));
  }

  /** How many were not kept: those that were refused, and those of which an auth event has not come. */
  get leftOut(): number {
    return this.#refused + this.#order.waiting;
  }

  /** Takes one, and judges all that waited for it. */
  async add(pdu: PreparedPdu): Promise<void> {
    const turn = new Turn(1);
    for (const due of this.#order.add(pdu)) {
      if (turn.isOver()) await turn.pass();
      if (due === undefined) continue;
      const judged = await judgeOutlier(due, this.room);
      if (judged.kind !== 'outlier') {
        this.#refused++;
        continue;
      }
      this.room.note(judged.event, judged.header.reason !== undefined);
      this.#judged.push(judged);
      if (this.#judged.length >= WRITTEN_AT_ONCE) await this.#write();
    }
  }

  /** Settles once all that was judged is written. */
  async finish(): Promise<void> {
    await this.#write();
    await this.#writing;
  }

  /** Writes what was judged, while more is judged; waits for what was written before. */
  async #write(): Promise<void> {
    const outliers = this.#judged;
    this.#judged = [];
    await this.#writing;
    if (outliers.length === 0) return;
    this.#writing = this.#store(outliers);
    // It is awaited before the next is written.
    this.#writing.catch(() => {});
  }

  async #store(outliers: readonly StoredOutlier[]): Promise<void> {
    for (const some of inGroups(outliers, ({ pduText }) => bytesInLog(pduText), MOST_IN_A_WRITE)) {
      const { result: revisions } = await this.workers.join(this.room.roomId, { actor: this.origin }, async (turn) => {
        checkJoin(turn, this.begun);
        return some.map((outlier) => storeOutlier(turn, outlier));
      });
      for (const [i, { event }] of some.entries()) this.room.noteStored(event, revisions[i]!);
    }
  }
}
