import type { LogHistory } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';

/** Up to where a client has something that an extension tells it, as it holds that: a letter of the extension, and the place. */
class PlaceToken {
  readonly #form: RegExp;

  constructor(private readonly letter: string) {
    this.#form = new RegExp(`^${letter}([0-9a-f-]{1,30})$`);
  }

  format(history: LogHistory, end: Position): string {
    return `${this.letter}${history.format(end)}`;
  }

  /** Reads what `format` wrote. Throws M_INVALID_PARAM for anything else. */
  parse(history: LogHistory, text: string): Position {
    const place = history.find(this.#form.exec(text)?.[1] ?? '')?.place;
    if (typeof place !== 'string') throw new MatrixError('M_INVALID_PARAM', 'since: not a token of this server');
    return place;
  }
}

/** The messages of a device. */
export const TO_DEVICE_TOKEN = new PlaceToken('d');
/** The sticky events of rooms. */
export const STICKY_TOKEN = new PlaceToken('y');
