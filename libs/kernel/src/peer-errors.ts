import type { JsonObject } from './json.js';

/** Another server cannot be reached, is left alone for now, or answers what cannot be read: later it may be otherwise. */
export class PeerUnavailable extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'PeerUnavailable';
  }
}

/** Another server refused a request. Error codes of any namespace and further keys come through as they are. */
export class PeerRefused extends Error {
  constructor(
    readonly status: number,
    /** The answer, where it is an object: `errcode`, `error` and whatever else it says. */
    readonly body: JsonObject,
    /** For how long it asks not to be asked again, in milliseconds; undefined where it does not. */
    readonly retryAfterMs?: number,
  ) {
    super(`${status} ${textOf(body['errcode'])} ${textOf(body['error'])}`.trim());
    this.name = 'PeerRefused';
  }

  get errcode(): string | undefined {
    const { errcode } = this.body;
    return typeof errcode === 'string' ? errcode : undefined;
  }
}

/** Another server refused the token that it was sent, which is one of its own, and a user's. */
export class TokenRefused extends PeerRefused {}

/** Why another server has not done what it was asked, for the log: without its own words, which may name whom it was asked about. */
export function reasonOf(error: PeerUnavailable | PeerRefused): string {
  if (!(error instanceof PeerRefused)) return error.message;
  const { status, errcode = '' } = error;
  return CODE.test(errcode) ? `${status} ${errcode}` : String(status);
}

/** Whether another server may answer the same otherwise later: it was away, or had no time, or a mistake of its own. */
export function mayAnswerLater(error: unknown): error is PeerUnavailable | PeerRefused {
  if (error instanceof PeerUnavailable) return true;
  return error instanceof PeerRefused && (error.status === TOO_MANY || error.status >= SERVERS_OWN);
}

const TOO_MANY = 429;
const SERVERS_OWN = 500;
const MOST_SHOWN = 200;
const CODE = /^[A-Z][\w.]{0,63}$/i;

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MOST_SHOWN) : '';
}
