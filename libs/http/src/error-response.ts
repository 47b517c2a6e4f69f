import { HttpException } from '@nestjs/common';
import { AppendTooLarge, EventStoreUnavailable, LogDamaged } from '#event-store/event-store-errors';
import { type Errcode, MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable, TokenRefused } from '#kernel/peer-errors';
import { ViewsUnavailable } from '#read-models/read-model-errors';

export interface ErrorResponse {
  readonly status: number;
  readonly body: object;
  /** Whether this is our mistake: to be logged with its stack. */
  readonly isBug: boolean;
}

/** The framework's own refusals, by status: it stays, the shape becomes the specification's. */
const REFUSALS: Readonly<Record<number, readonly [Errcode, string]>> = {
  404: ['M_UNRECOGNIZED', 'Unrecognised request'],
  405: ['M_UNRECOGNIZED', 'Unrecognised request'],
  413: ['M_TOO_LARGE', 'The request body is too large'],
  414: ['M_INVALID_PARAM', 'A part of the path is too long'],
};
/** When to try again while the log is away: a leader is elected within seconds. */
const RETRY_AFTER_MS = 5000;
/** Refusals of the router, which Nest never sees. */
const BAD_URL = 'FST_ERR_BAD_URL';

/** No bug, and nothing to log for each request: whoever holds the log says once that it is lost. The specification has no better code. */
const UNAVAILABLE: ErrorResponse = {
  status: 503,
  body: { errcode: 'M_UNKNOWN', error: 'The log of the server cannot be reached', retry_after_ms: RETRY_AFTER_MS },
  isBug: false,
};
/** As a log that is away: what was sent is in the log, what is read is not there. */
const VIEWS_UNAVAILABLE: ErrorResponse = {
  status: 503,
  body: { errcode: 'M_UNKNOWN', error: 'The views of the server cannot be reached', retry_after_ms: RETRY_AFTER_MS },
  isBug: false,
};
/** Trying again does not help. */
const DAMAGED: ErrorResponse = {
  status: 503,
  body: { errcode: 'M_UNKNOWN', error: 'The log of the server is damaged: this cannot be done' },
  isBug: false,
};
const TOO_LARGE: ErrorResponse = {
  status: 413,
  body: { errcode: 'M_TOO_LARGE', error: 'This is more than the log of the server takes at once' },
  isBug: false,
};

const PEER_UNAVAILABLE: ErrorResponse = {
  status: 502,
  body: { errcode: 'M_UNKNOWN', error: 'The other server cannot be reached' },
  isBug: false,
};
/** The client has to have another token there; with the status of that server's answer it would be taken for one about its session here. */
const TOKEN_REFUSED: ErrorResponse = {
  status: 403,
  body: { errcode: 'M_UNAUTHORIZED', error: 'The other server does not take this token of it' },
  isBug: false,
};
/** What servers say of a request and of who sent it, which was this server. */
const OF_REQUESTS: ReadonlySet<string> = new Set([
  'M_UNAUTHORIZED',
  'M_UNKNOWN_TOKEN',
  'M_MISSING_TOKEN',
  'M_UNRECOGNIZED',
  'M_USER_LOCKED',
  'M_USER_SUSPENDED',
  'M_USER_DEACTIVATED',
]);
const MOST_OF_TEXT = 300;
const MOST_OF_BODY = 4096;

/**
 * What to answer for anything thrown: a MatrixError as it says of itself, a log or views that are away or damaged as 503, what another
 * server refused as that server did, one that is away as 502, a refusal of the framework in the standard shape, and anything else as 500 M_UNKNOWN that tells nothing but the id under which the log has it.
 */
export function errorResponse(thrown: unknown, id: string): ErrorResponse {
  if (thrown instanceof MatrixError) return { status: thrown.status, body: thrown.toBody(), isBug: false };
  if (thrown instanceof EventStoreUnavailable) return UNAVAILABLE;
  if (thrown instanceof ViewsUnavailable) return VIEWS_UNAVAILABLE;
  if (thrown instanceof LogDamaged) return DAMAGED;
  if (thrown instanceof AppendTooLarge) return TOO_LARGE;
  if (thrown instanceof TokenRefused) return TOKEN_REFUSED;
  if (thrown instanceof PeerRefused) return peersRefusal(thrown);
  if (thrown instanceof PeerUnavailable) return PEER_UNAVAILABLE;
  const status = statusOf(thrown);
  if (status >= 400 && status < 500) return refusal(thrown as Error, status); // Only errors have a status.
  return { status: 500, body: { errcode: 'M_UNKNOWN', error: `Internal error ${id}`.trim() }, isBug: true };
}

/**
 * What another server says of our question may not be taken by a client for what we say of its session, or of the path it asked for.
 * NOTSPEC: how a server hands on what others refuse is said of `POST /account/3pid/bind` alone, where errors are to go on as they are: these do not there either.
 */
function peersRefusal({ status, body }: PeerRefused): ErrorResponse {
  const { errcode, error } = body;
  const isOurs = status === 401 || status >= 500 || typeof errcode !== 'string' || OF_REQUESTS.has(errcode);
  const text = typeof error === 'string' ? error.slice(0, MOST_OF_TEXT) : '';
  if (isOurs) {
    const isUnknown = status === 404;
    const told = `The other server refused: ${text || status}`;
    return {
      status: isUnknown ? 404 : 502,
      body: { errcode: isUnknown ? 'M_NOT_FOUND' : 'M_UNKNOWN', error: told },
      isBug: false,
    };
  }
  const isShort = JSON.stringify(body).length <= MOST_OF_BODY;
  return {
    status,
    body: { ...(isShort ? body : {}), errcode: errcode.slice(0, MOST_OF_TEXT), error: text },
    isBug: false,
  };
}

function statusOf(thrown: unknown): number {
  if (thrown instanceof HttpException) return thrown.getStatus();
  const { code, statusCode } = (thrown ?? {}) as { code?: unknown; statusCode?: unknown };
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : 500;
}

function refusal(error: Error & { code?: unknown }, status: number): ErrorResponse {
  if (error.code === BAD_URL)
    return {
      status,
      body: { errcode: 'M_INVALID_PARAM', error: 'The path is not properly percent-encoded' },
      isBug: false,
    };
  const [errcode, text] = REFUSALS[status] ?? (['M_UNKNOWN', error.message] as const);
  return { status, body: { errcode, error: text }, isBug: false };
}
