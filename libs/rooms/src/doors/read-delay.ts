import { type Query, queryInteger, queryText } from '#http/query';
import { MatrixError } from '#kernel/matrix-error';

const DELAY = 'org.matrix.msc4140.delay';
/** By which an event was to wait for another one, in an old form of the proposal: it must not be sent at once by who does not know that. */
const PARENT = 'org.matrix.msc4140.parent_delay_id';

/**
 * For how long a request has its event wait, in milliseconds; undefined where it is to be sent at once. The form in which MSC4140 was
 * tried out, and which clients use. Throws M_INVALID_PARAM, also where the delay is left empty, as which other parameters may be left out: a
 * hang-up that is sent at once ends the call that it was to outlive.
 */
export function readDelay(query: Query): number | undefined {
  if (queryText(query, PARENT) !== undefined) throw new MatrixError('M_INVALID_PARAM', `${PARENT}: not supported`);
  if (query[DELAY] === '') throw new MatrixError('M_INVALID_PARAM', `${DELAY}: empty`);
  return queryInteger(query, DELAY, { min: 1 });
}
