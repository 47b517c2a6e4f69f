import { type Errcode, ERRORS, MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { PolicyAway } from '#rooms/policy-away';
import { PolicyRefused } from '#rooms/policy-refused';

/** Why there is no signature of a policy server. */
export type PolicyFault = PeerRefused | PeerUnavailable | MatrixError;

const MOST_OF_REASON = 300;
/** What a policy server says of an event. */
const OF_EVENTS: ReadonlySet<Errcode> = new Set<Errcode>(['M_FORBIDDEN', 'M_BAD_JSON', 'M_NOT_JSON', 'M_TOO_LARGE']);
/** What one says that has no time. */
const IS_BUSY: Errcode = 'M_LIMIT_EXCEEDED';
/** "The room is not known or is not protected by the Policy Server". */
const IS_NOT_ITS_ROOM: Errcode = 'M_NOT_FOUND';
/** "The server is not a Policy Server": what a server says that is none. */
const IS_NONE: Errcode = 'M_UNRECOGNIZED';
const TOLD: ReadonlySet<string> = new Set<Errcode>([...OF_EVENTS, IS_BUSY, IS_NOT_ITS_ROOM, IS_NONE]);
/** What a proxy says of a path that there is not, by a page of its own. */
const UNKNOWN_PATH: ReadonlySet<number> = new Set([404, 405]);
/** What it answers to a signature of this server that it does not take, by whatever code. */
const UNAUTHORISED = 401;
const NONE =
  'The server that the room names as its policy server is none: nothing can be sent until m.room.policy is another';

export function isFault(error: unknown): error is PolicyFault {
  return error instanceof PeerRefused || error instanceof PeerUnavailable || error instanceof MatrixError;
}

/**
 * Whether a policy server does not want an event that it was asked for. All else says nothing of the event: it is away, or busy, or is no
 * policy server, or not that of the room, or wants nothing of this server.
 */
export function isRefusal(error: PolicyFault): boolean {
  if (error instanceof MatrixError) return true;
  const said = saidBy(error);
  return said !== undefined && OF_EVENTS.has(said);
}

/** For the log, and for operators who ask why an event was refused. */
export function reasonOf(error: PolicyFault): string {
  return error.message.slice(0, MOST_OF_REASON);
}

/**
 * What who sent an event is told: what the policy server says, as it says it ("that error SHOULD be provided to the client verbatim"), and that it is none, which
 * no other try mends. Where it does not answer, or has an error of its own, that is no refusal: 503, so that they may try again. NOTSPEC: also where it does not take
 * this server's signature, which is nothing to the sender: to a client that would look like an answer to its own token.
 */
export function toSender(error: PolicyFault): MatrixError {
  if (error instanceof MatrixError)
    return new PolicyRefused('M_FORBIDDEN', `The room's policy server: ${error.message}`);
  const said = saidBy(error);
  if (said === undefined || !(error instanceof PeerRefused)) return new PolicyAway(error);
  if (said === IS_NONE) return new PolicyRefused(said, NONE, { cause: error });
  const { body, status, retryAfterMs } = error;
  const text = typeof body['error'] === 'string' ? body['error'].slice(0, MOST_OF_REASON) : ERRORS[said][1];
  const fields = retryAfterMs === undefined ? undefined : { retry_after_ms: retryAfterMs };
  return new PolicyRefused(said, text, { status, fields, cause: error });
}

/** By which code a sender is told what it says; undefined where it says nothing to them. What it answers 400 is of the event, by whatever code. */
function saidBy(error: PeerRefused | PeerUnavailable): Errcode | undefined {
  if (!(error instanceof PeerRefused) || error.status >= 500 || error.status === UNAUTHORISED) return undefined;
  const { status, errcode } = error;
  if (status === 429) return IS_BUSY;
  if (errcode === undefined) return UNKNOWN_PATH.has(status) ? IS_NONE : undefined;
  if (TOLD.has(errcode)) return errcode as Errcode;
  return status === 400 ? 'M_FORBIDDEN' : undefined;
}
