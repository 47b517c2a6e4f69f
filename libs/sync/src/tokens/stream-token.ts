import { findTypingMark, formatTypingMark, NO_TYPING, type TypingMark } from '#ephemeral/typing/typing-mark';
import { MatrixError } from '#kernel/matrix-error';
import { parseShortPosition, type Position, shortPosition } from '#kernel/position';

/**
 * A place in all that a user hears of: everything up to and including a position of the log, and typing notifications up to
 * a mark of this run of the server or of an earlier one.
 */
export interface StreamToken {
  readonly position: Position;
  readonly typing: TypingMark;
}

const STREAM_TOKEN = /^s(\d+)(?:_([0-9a-z.]{1,300}))?$/;

/** The token as clients hold it: `s<position>_<typing>`. */
export function formatStreamToken({ position, typing }: StreamToken): string {
  return `s${shortPosition(position)}_${formatTypingMark(typing)}`;
}

/** Reads what `formatStreamToken` wrote; undefined for anything else. A token without a mark has heard no typing. */
export function findStreamToken(text: string): StreamToken | undefined {
  const [, digits = '', mark] = STREAM_TOKEN.exec(text) ?? [];
  const position = parseShortPosition(digits);
  const typing = mark === undefined ? NO_TYPING : findTypingMark(mark);
  return position === undefined || typing === undefined ? undefined : { position, typing };
}

/** As `findStreamToken`. Throws M_INVALID_PARAM, naming the parameter. */
export function parseStreamToken(text: string, parameter: string): StreamToken {
  const token = findStreamToken(text);
  if (token === undefined) throw new MatrixError('M_INVALID_PARAM', `${parameter}: not a token of this server`);
  return token;
}
