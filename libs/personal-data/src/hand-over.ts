import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Slots } from '#kernel/slots';
import type { ExportFile } from './files/export-file.js';
import { exportFiles } from './files/export-files.js';
import { type Chapter, PersonalData, type PersonalDataKind, type PersonalRecord } from './personal-data.js';

/** So many are read at a time, each a file further: each reads all of the rooms that somebody was ever in. Who is slow to take theirs waits for nobody, and nobody for them. */
const READ_AT_ONCE = 4;
/** So many are under way, each of which has some megabytes in memory. */
const MOST_AT_ONCE = 16;

type Files = AsyncGenerator<ExportFile, void>;

/** An export that is under way. */
export interface Export {
  readonly madeAt: number;
  /** To be read one after another, once. */
  readonly files: AsyncIterable<ExportFile>;
  /** To be called once nobody reads any more, at whatever point. */
  end(): void;
}

/** Some of what there is of a kind. */
export interface Glimpse {
  readonly kind: Pick<PersonalDataKind, 'title' | 'about'>;
  readonly records: readonly PersonalRecord[];
  /** There is more. */
  readonly hasMore: boolean;
}

/** Hands people what this server has of them. */
@Injectable()
export class HandOver {
  readonly #running = new Set<UserId>();
  readonly #turns = new Slots(READ_AT_ONCE);

  constructor(
    private readonly data: PersonalData,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** As `begin`, for the operator of the server: nobody who reads theirs slowly keeps that from being done. */
  beginForOperator(userId: UserId): Export {
    return this.#export(
      userId,
      (files) => files,
      () => {},
    );
  }

  /** Begins to hand over all of it. Throws M_LIMIT_EXCEEDED where that is under way for this user, or for too many others. */
  begin(userId: UserId): Export {
    if (this.#running.has(userId)) throw new MatrixError('M_LIMIT_EXCEEDED', 'Your data is being handed over already');
    if (this.#running.size >= MOST_AT_ONCE)
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Others are handed their data now: try again later');
    this.#running.add(userId);
    let isOver = false;
    const end = (): void => {
      // By then the next one of this user may be under way.
      if (!isOver) this.#running.delete(userId);
      isOver = true;
    };
    return this.#export(userId, (files) => this.#inTurns(files), end);
  }

  /** The first of each kind of a chapter that pages show. */
  async glimpse(userId: UserId, chapter: Chapter, most: number): Promise<Glimpse[]> {
    const glimpses: Glimpse[] = [];
    for (const kind of this.data.all) {
      if (kind.chapter !== chapter || kind.isHandedOverAlone === true) continue;
      const records: PersonalRecord[] = [];
      let hasMore = false;
      for await (const record of kind.read(userId)) {
        hasMore = records.length >= most;
        if (hasMore) break;
        records.push(record);
      }
      glimpses.push({ kind, records, hasMore });
    }
    return glimpses;
  }

  #export(userId: UserId, wrap: (files: Files) => Files, end: () => void): Export {
    const madeAt = this.clock.now();
    const head = { userId, serverName: this.config.serverName, madeAt };
    return { madeAt, files: wrap(exportFiles(this.data.all, head)), end };
  }

  /** The same files, each of which is read once it is the turn of who asks for it. */
  async *#inTurns(files: Files): Files {
    try {
      for (;;) {
        const next = await this.#turns.run(() => files.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await files.return();
    }
  }
}
