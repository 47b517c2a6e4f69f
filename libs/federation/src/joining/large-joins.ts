import { Slots } from '#kernel/slots';

/** NOTSPEC: a room of 80,000 members and 126,000 events behind them is some 200 MB. */
export const MOST_BYTES = 512 * 1024 * 1024;
/** What an answer may hold of memory before it has to wait: nearly all rooms are smaller. */
const LARGE_BYTES = 16 * 1024 * 1024;
/** So many larger answers are in memory at once. */
const MOST_LARGE = 2;

/** Called before more of an answer is read, with the bytes that were. */
export type BeforeMore = (bytes: number) => Promise<void>;

/** Lets few joins of large rooms run at a time, for all of the answer is in memory until the room is here: the others read on later. */
export class LargeJoins {
  readonly #slots = new Slots(MOST_LARGE);

  /** Runs a join, which asks before it reads more. */
  async run<T>(join: (beforeMore: BeforeMore) => Promise<T>): Promise<T> {
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => (end = resolve));
    let turn: Promise<void> | undefined;
    const beforeMore = async (bytes: number): Promise<void> => {
      if (bytes <= LARGE_BYTES) return;
      turn ??= new Promise<void>((begin) => {
        void this.#slots.run(() => {
          begin();
          return ended;
        });
      });
      await turn;
    };
    try {
      return await join(beforeMore);
    } finally {
      end();
    }
  }
}
