import type { RoomId } from '#kernel/ids';

/** In bytes: of `MOST_TOLD_BYTES`, with what an answer may note besides. */
const MOST_BYTES = 400_000;
/** What is noted of a room besides its id. */
const BESIDE_ID = 16;

/**
 * The rooms of an answer of which its client knows nothing: so many that what is noted of them fits into one fact. Of more the next answer
 * tells, for that its client does not know them either.
 */
export class NewRooms {
  #bytes = 0;

  get areTooMany(): boolean {
    return this.#bytes > MOST_BYTES;
  }

  add(roomId: RoomId): void {
    this.#bytes += Buffer.byteLength(roomId) + BESIDE_ID;
  }
}
