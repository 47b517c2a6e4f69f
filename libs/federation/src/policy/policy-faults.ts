import { type Errcode, ERRORS, MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { PolicyAway } from '#rooms/policy-away';
import { PolicyRefused } from '#rooms/policy-refused';

/** Why there is no signature of a policy server. */
export type PolicyFault = PeerRefused | PeerUnavailable | MatrixError;

const MOST_OF_REASON = 300;
/** What a policy server says of an event. All else it says of the request, which is this server's. */
const OF_EVENTS: ReadonlySet<string> = new Set<Errcode>([
  'M_FORBIDDEN',
  'M_BAD_JSON',
  'M_TOO_LARGE',
  'M_LIMIT_EXCEEDED',
]);

/** What a server says that is no policy server. */
const IS_NONE: Errcode = 'M_UNRECOGNIZED';
const NONE =
  'The server that the room names as its policy server is none: nothing can be sent until m.room.policy is another';

export function isFault(error: unknown): error is PolicyFault {
  return error instanceof PeerRefused || error instanceof PeerUnavailable || error instanceof MatrixError;
}

/**
 * Whether a policy server does not want an event that it was asked for. All else says nothing of the event: it is away, or busy, or is no
 * policy server, or wants nothing of this server.
 */
export function isRefusal(error: PolicyFault): boolean {
  if (!(error instanceof PeerRefused)) return error instanceof MatrixError;
  const { status, errcode } = error;
  if (status === 429 || status >= 500 || errcode === 'M_LIMIT_EXCEEDED') return false;
  return errcode !== undefined && OF_EVENTS.has(errcode);
}

/** For the log, and for operators who ask why an event was refused. */
export function reasonOf(error: PolicyFault): string {
  return error.message.slice(0, MOST_OF_REASON);
}

/**
 * What who sent an event is told: what the policy server says of the event, as it says it ("that error SHOULD be provided to the client
 * verbatim"), and that it is none ("M_UNRECOGNIZED - The server is not a Policy Server"), which no other try mends. What else it says of this server, or where it says nothing, is no
 * refusal: 503, so that they may try again.
 */
export function toSender(error: PolicyFault): MatrixError {
  if (error instanceof MatrixError)
    return new PolicyRefused('M_FORBIDDEN', `The room's policy server: ${error.message}`);
  const errcode = error instanceof PeerRefused ? error.errcode : undefined;
  if (!(error instanceof PeerRefused) || errcode === undefined) return new PolicyAway(error);
  if (errcode === IS_NONE) return new PolicyRefused(errcode, NONE, { cause: error });
  if (!OF_EVENTS.has(errcode)) return new PolicyAway(error);
  const { body, status, retryAfterMs } = error;
  const text =
    typeof body['error'] === 'string' ? body['error'].slice(0, MOST_OF_REASON) : ERRORS[errcode as Errcode][1];
  const fields = retryAfterMs === undefined ? undefined : { retry_after_ms: retryAfterMs };
  return new PolicyRefused(errcode as Errcode, text, { status, fields, cause: error });
}
