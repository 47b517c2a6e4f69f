import { Readable } from 'node:stream';
import { Injectable, StreamableFile } from '@nestjs/common';
import { Counted } from '#kernel/counted';
import type { ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { inChunks } from './json-texts.js';

/** How many answers of this kind a server gets at a time, unless told. */
const MOST_AT_ONCE = 3;
const PAUSE_MS = 2_000;
/** Whoever reads more slowly asks again: a room that is told is in memory as long. */
const LONGEST_MS = 10 * 60_000;

/** Answers as large as a room, which are written as they are read: no more of them is in memory than is on its way. */
@Injectable()
export class LargeAnswers {
  readonly #running = new Counted<ServerName>();

  /**
   * Sends JSON text as it comes, once its first piece is there: what it throws before that is answered as every refusal; after that the
   * connection ends, as it does where it is not read within ten minutes. Throws M_LIMIT_EXCEEDED where the server gets enough of them already.
   */
  async send(server: ServerName, texts: AsyncIterable<string>, most = MOST_AT_ONCE): Promise<StreamableFile> {
    if (!this.#running.begin(server, most)) {
      throw new MatrixError('M_LIMIT_EXCEEDED', undefined, { fields: { retry_after_ms: PAUSE_MS } });
    }
    const pieces = inChunks(texts);
    try {
      const first = await pieces.next();
      const stream = Readable.from(startingWith(first, pieces), { objectMode: false });
      const timer = setTimeout(() => stream.destroy(new Error('It was not read in time')), LONGEST_MS).unref();
      stream.once('close', () => {
        clearTimeout(timer);
        this.#running.end(server);
      });
      return new StreamableFile(stream, { type: 'application/json' });
    } catch (error) {
      this.#running.end(server);
      throw error;
    }
  }
}

async function* startingWith<T>(
  first: IteratorResult<T, void>,
  others: AsyncGenerator<T, void>,
): AsyncGenerator<T, void> {
  if (first.done === true) return;
  yield first.value;
  yield* others;
}
