import type { TextGateway } from '#config/text-messages-config';
import { type Outgoing, OutgoingFailure } from '#http/outgoing/outgoing';
import type { ServerPlace } from '#http/outgoing/guarded-connector';
import { OF_OPERATOR, placeOf } from '#http/outgoing/place-of';
import type { JsonValue } from '#kernel/json';
import { TextFailure, type TextMessage, type TextMessages } from './text-messages.js';

const WITHIN_MS = 20_000;
const MAX_BYTES = 64 * 1024;
/** So many requests at once: gateways bring few messages a second. */
const CONNECTIONS = 2;
/** It is the message that it does not want. All else is of the gateway, or of how it is asked, which the operator mends. */
const OF_THE_MESSAGE: ReadonlySet<number> = new Set([400, 422]);

/**
 * Has an HTTP gateway of the operator bring messages to phones: a POST of JSON to one URL, as the operator wrote it down. Redirects are followed by
 * nobody, and what the gateway answers, whose text may name the number, goes nowhere.
 */
export class GatewayTexts implements TextMessages {
  readonly #url: URL;
  readonly #place: ServerPlace;

  constructor(
    private readonly outgoing: Outgoing,
    private readonly gateway: TextGateway,
  ) {
    this.#url = new URL(gateway.url);
    this.#place = placeOf(this.#url, { ...OF_OPERATOR, connections: CONNECTIONS });
  }

  async send(message: TextMessage): Promise<void> {
    const { authorization, body } = this.gateway;
    const { pathname, search, host } = this.#url;
    const status = await this.#post({
      method: 'POST',
      path: `${pathname}${search}`,
      headers: {
        host,
        accept: 'application/json',
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: JSON.stringify(fillIn(body, message)),
      withinMs: WITHIN_MS,
      maxBytes: MAX_BYTES,
    });
    if (status >= 200 && status < 300) return;
    throw new TextFailure(`the gateway has not taken it (${status})`, !OF_THE_MESSAGE.has(status));
  }

  async #post(request: Parameters<Outgoing['send']>[1]): Promise<number> {
    try {
      return (await this.outgoing.send(this.#place, request)).status;
    } catch (error) {
      if (!(error instanceof OutgoingFailure)) throw error;
      throw new TextFailure('the gateway does not answer', true, { cause: error });
    }
  }
}

/** A value with the number and the text in all strings of it that say where they belong. */
function fillIn(value: JsonValue, message: TextMessage): JsonValue {
  if (typeof value === 'string') {
    return value.replaceAll(/\{(number|digits|text)\}/g, (_, what: string) => partOf(message, what));
  }
  if (Array.isArray(value)) return value.map((item) => fillIn(item, message));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item as JsonValue, message)]));
}

function partOf({ number, text }: TextMessage, what: string): string {
  if (what === 'text') return text;
  return what === 'number' ? `+${number}` : number;
}
