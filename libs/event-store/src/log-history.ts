import { comparePlaces, formatPlace, parsePlace, type Place, type Position, START } from '#kernel/position';

/** A time that the log was put back to an earlier moment. */
export interface Restoration {
  /** Eight hexadecimal digits, by chance: a log that is put back to one moment twice has two of them. */
  readonly name: string;
  /** The last place up to which the log is as it was before, as far as that is known: it may be further. */
  readonly agreed: Position;
  /** It is where a copy of another log begins, whose places say nothing here. */
  readonly isCopy?: true;
}

/** A place that somebody remembered, in the log as it is now. */
export interface SettledPlace {
  readonly place: Place;
  /**
   * It was in a part of the log that is lost: `place` is then the last one before that part. What the log has after it takes the
   * place of what was lost, and nobody who remembers the lost place has heard of it.
   */
  readonly isLost: boolean;
}

const NAMED_PLACE = /^(b?\d{1,19})(?:-([0-9a-f]{8}))?$/;

/**
 * Which history the positions of a log belong to. Where a log was put back to an earlier moment, a position of what was lost may
 * soon be that of another fact. So whoever remembers a place names the restoration that it came after; this alone writes and
 * reads such texts, so that no place of another history is taken for one of this.
 */
export class LogHistory {
  /** Of a log that was never put back. */
  static readonly UNBROKEN = new LogHistory([]);

  /** What the last restoration is called; empty where there was none. */
  readonly name: string;
  readonly #suffix: string;

  /** `restorations`: in the order in which they are in the log. */
  constructor(private readonly restorations: readonly Restoration[]) {
    this.name = restorations.at(-1)?.name ?? '';
    this.#suffix = this.name === '' ? '' : `-${this.name}`;
  }

  /** A place of the log as it is now, as a text that is good after any restoration: digits, lower-case letters and `-`. */
  format(place: Place): string {
    return formatPlace(place) + this.#suffix;
  }

  /**
   * Reads what `format` wrote, now or in an earlier history; undefined for anything else. A text that names no restoration is of
   * the time before the first. Of one that names an unknown restoration nothing is believed: the log was put back to before
   * that, and nobody knows where the two went apart.
   */
  find(text: string): SettledPlace | undefined {
    const [, placed = '', name] = NAMED_PLACE.exec(text) ?? [];
    const place = parsePlace(placed);
    if (place === undefined) return undefined;
    const known = name === undefined ? -1 : this.restorations.findIndex((each) => each.name === name);
    if (name !== undefined && known < 0) return { place: START, isLost: true };
    // Later ones took away nothing before that which follows: it is still in the log.
    const agreed = this.restorations[known + 1]?.agreed;
    if (agreed === undefined || comparePlaces(place, agreed) <= 0) return { place, isLost: false };
    return { place: agreed, isLost: true };
  }

  /**
   * As `find`, of a text that a fact of this log holds, about what stands before that fact: a log that has the fact has lost nothing of that, however little is known to be as it was
   * (`agreed`). START where the fact came from the log that this one is a copy of.
   */
  findWithin(text: string): Place | undefined {
    const [, placed = '', name] = NAMED_PLACE.exec(text) ?? [];
    const isOfCopied = this.restorations[0]?.isCopy === true && !this.restorations.some((each) => each.name === name);
    return isOfCopied ? START : parsePlace(placed);
  }
}
