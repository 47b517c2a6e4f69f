import { availableParallelism } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Inject, Injectable, type OnModuleDestroy, Optional } from '@nestjs/common';
import { type Asker, FairTurns } from '#kernel/fair-turns';
import { type ContentHash, MEDIA_STORE, type MediaStore, type OpenContent } from '../store/media-store.js';
import { type PictureAnswer, type PictureJob, TOO_LARGE, UNREADABLE } from './picture-job.js';
import { PictureReader, ReaderLost } from './picture-reader.js';
import { SNIFFED_BYTES, sniffPicture } from './sniff-picture.js';

/** The program of the processes, and how long one may take for a picture; tests give their own. */
export interface PictureOptions {
  readonly program: string;
  readonly withinMs: number;
}

const PICTURE_OPTIONS = Symbol.for('annals.PictureOptions');

const DEFAULTS: PictureOptions = {
  program: fileURLToPath(new URL('./picture-process.js', import.meta.url)),
  withinMs: 20_000,
};
/** A process that has had nothing to do for so long ends: it holds memory. */
const IDLE_MS = 60_000;
/** One core is left to who waits for messages. */
const MOST_READERS = 2;
const MOST_WAITING = 500;
const MOST_WAITING_OF_ONE = 100;
const MB = 1024 * 1024;
/** Of a file: more is refused before anything of it is read. */
const MOST_BYTES = 64 * MB;

/** What is made, or found out, of some content; undefined where that is not there. Throws ReaderLost, and what reading the content throws. */
export type ReadPicture = (hash: ContentHash, job: PictureJob) => Promise<PictureAnswer | undefined>;

/**
 * Reads pictures in processes of their own, which are killed where one takes too long or too much memory: a thread that decodes can be
 * ended by nobody before it is done, and takes all others with it where it fails.
 */
@Injectable()
export class Pictures implements OnModuleDestroy {
  readonly #turns = new FairTurns<PictureAnswer | undefined>({
    atOnce: Math.max(1, Math.min(availableParallelism() - 1, MOST_READERS)),
    mostOfOne: MOST_WAITING_OF_ONE,
    mostOfAll: MOST_WAITING,
    refusal: 'Too many pictures wait to be read',
  });
  readonly #idle: { readonly reader: PictureReader; readonly timer: NodeJS.Timeout }[] = [];
  readonly #busy = new Set<PictureReader>();
  readonly #options: PictureOptions;
  #isStopped = false;

  constructor(
    @Inject(MEDIA_STORE) private readonly store: MediaStore,
    @Optional() @Inject(PICTURE_OPTIONS) options: Partial<PictureOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * Does something with a picture, in the turn of who asks; where several ask for it by one name, once. Throws M_LIMIT_EXCEEDED where too many
   * wait already, the reason of the signal, and what `work` throws.
   */
  once(
    name: string,
    asker: Asker,
    work: (read: ReadPicture) => Promise<PictureAnswer | undefined>,
  ): Promise<PictureAnswer | undefined> {
    return this.#turns.once(name, asker, () => work((hash, job) => this.#read(hash, job)));
  }

  onModuleDestroy(): void {
    this.#isStopped = true;
    this.#turns.end();
    for (const { reader, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      reader.end();
    }
    for (const reader of this.#busy) reader.end();
  }

  async #read(hash: ContentHash, job: PictureJob): Promise<PictureAnswer | undefined> {
    const bytes = await this.store.sizeOf(hash);
    if (bytes === undefined) return undefined;
    if (bytes === 0) return UNREADABLE;
    if (bytes > MOST_BYTES) return TOO_LARGE;
    const start = await this.store.open(hash, { first: 0, last: Math.min(SNIFFED_BYTES, bytes) - 1 });
    const type = start && sniffPicture(await buffer(start.stream));
    if (start !== undefined && type === undefined) return UNREADABLE;
    const content = await this.store.open(hash);
    if (content === undefined || type === undefined) return undefined;
    return this.#ask({ ...job, type, bytes }, content);
  }

  async #ask(job: Parameters<PictureReader['ask']>[0], content: OpenContent): Promise<PictureAnswer> {
    const reader = this.#take();
    this.#busy.add(reader);
    try {
      return await reader.ask(job, content, this.#options.withinMs);
    } finally {
      this.#busy.delete(reader);
      this.#giveBack(reader);
    }
  }

  #take(): PictureReader {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (!idle.reader.hasEnded) return idle.reader;
    }
    if (this.#isStopped) throw new ReaderLost('the server stops');
    return new PictureReader(this.#options.program);
  }

  #giveBack(reader: PictureReader): void {
    if (reader.hasEnded) return;
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((one) => one.reader === reader),
        1,
      );
      reader.end();
    }, IDLE_MS).unref();
    this.#idle.push({ reader, timer });
  }
}
