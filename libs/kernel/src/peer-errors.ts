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

const MOST_SHOWN = 200;

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MOST_SHOWN) : '';
}
