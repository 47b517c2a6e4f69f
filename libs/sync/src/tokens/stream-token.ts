import { MatrixError } from '#kernel/matrix-error';
import { positionNumber, positionOf, type Position } from '#kernel/position';

/**
 * A place in all that a user hears of: everything up to and including a position of the log, and typing notifications up to
 * and including a number of the ephemeral sequence.
 */
export interface StreamToken {
  readonly position: Position;
  readonly sequence: number;
}

const STREAM_TOKEN = /^s(\d{1,16})(?:_(\d{1,16}))?$/;

/** The token as clients hold it: `s<position>_<sequence>`. */
export function formatStreamToken({ position, sequence }: StreamToken): string {
  return `s${positionNumber(position)}_${sequence}`;
}

/** Reads what `formatStreamToken` wrote; undefined for anything else. A token without a sequence has heard no typing. */
export function findStreamToken(text: string): StreamToken | undefined {
  const [, position, sequence = '0'] = STREAM_TOKEN.exec(text) ?? [];
  if (position === undefined) return undefined;
  const value = Number(position);
  return Number.isSafeInteger(value) ? { position: positionOf(value), sequence: Number(sequence) } : undefined;
}

/** As `findStreamToken`. Throws M_INVALID_PARAM, naming the parameter. */
export function parseStreamToken(text: string, parameter: string): StreamToken {
  const token = findStreamToken(text);
  if (token === undefined) throw new MatrixError('M_INVALID_PARAM', `${parameter}: not a token of this server`);
  return token;
}
