import { Injectable } from '@nestjs/common';
import { Outgoing, OutgoingFailure } from '#http/outgoing/outgoing';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { doublingPause } from '#kernel/doubling-pause';
import { GatewayTurns } from './gateway-turns.js';

/**
 * What became of a notification: the gateway has it, and says which pushkeys are none any more; it refuses it, which another one may not be;
 * or it is not there, for now. Or there was nothing to send.
 */
export type GatewayAnswer =
  | { readonly kind: 'taken'; readonly rejected: readonly string[] }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'away'; readonly reason: string }
  | { readonly kind: 'nothing' };

/** Longer than any gateway needs that is well: those who come next wait meanwhile. */
const WITHIN_MS = 10_000;
/** The pauses after a failure. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10 * 60_000;
const MOST_BYTES = 65_536;
const TOO_MANY_REQUESTS = 429;
const DEFAULT_PORT = 443;

/** The push gateways that clients chose: push gateway API, "Push Notifications". */
@Injectable()
export class PushGateways {
  readonly #turns = new Map<string, GatewayTurns>();
  #ending = new AbortController();

  constructor(private readonly outgoing: Outgoing) {}

  /** How many are being spoken to, or waited for. */
  get size(): number {
    return this.#turns.size;
  }

  /**
   * Sends what `make` answers when it is the gateway's turn. What is to be said is asked for right before it is said. `failures`: how often
   * in a row it was not taken before. Throws what `make` throws, and where this process ends.
   */
  async notify(url: string, make: () => Promise<readonly JsonObject[]>, failures: number): Promise<GatewayAnswer> {
    const { signal } = this.#ending;
    return this.#with(url, (turns) => turns.run(async () => this.#sendAll(url, await make(), signal), failures > 0));
  }

  /**
   * Waits after so many failures in a row, at most until the gateway is there again: "the homeserver SHOULD retry for a reasonable amount
   * of time using exponential backoff".
   */
  async pause(url: string, failures: number): Promise<void> {
    await this.#with(url, (turns) => turns.pause(doublingPause(failures, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)));
  }

  /** Ends what is under way and begins nothing more. */
  end(): void {
    const reason = new Error('Notifications are not sent here any more');
    this.#ending.abort(reason);
    this.#ending = new AbortController();
    for (const turns of this.#turns.values()) turns.end(reason);
    this.#turns.clear();
  }

  async #with<T>(url: string, use: (turns: GatewayTurns) => Promise<T>): Promise<T> {
    const { host } = new URL(url);
    let turns = this.#turns.get(host);
    if (turns === undefined) this.#turns.set(host, (turns = new GatewayTurns()));
    try {
      return await use(turns);
    } finally {
      if (turns.isIdle && this.#turns.get(host) === turns) this.#turns.delete(host);
    }
  }

  async #sendAll(url: string, notifications: readonly JsonObject[], signal: AbortSignal): Promise<GatewayAnswer> {
    let whole: GatewayAnswer = { kind: 'nothing' };
    for (const notification of notifications) {
      const answer = await this.#send(url, notification, signal);
      if (answer.kind !== 'taken') return answer;
      whole = { kind: 'taken', rejected: [...(whole.kind === 'taken' ? whole.rejected : []), ...answer.rejected] };
    }
    return whole;
  }

  async #send(url: string, notification: JsonObject, signal: AbortSignal): Promise<GatewayAnswer> {
    const { hostname, port, host, pathname, search } = new URL(url);
    const name = hostname.replace(/^\[(.*)\]$/, '$1');
    const place = { tlsName: name, at: [{ host: name, port: port === '' ? DEFAULT_PORT : Number(port) }] };
    const headers = { host, 'content-type': 'application/json' };
    const body = JSON.stringify(notification);
    const limits = { withinMs: WITHIN_MS, maxBytes: MOST_BYTES, signal };
    try {
      const answer = await this.outgoing.send(place, {
        method: 'POST',
        path: `${pathname}${search}`,
        headers,
        body,
        ...limits,
      });
      return readAnswer(answer.status, answer.body);
    } catch (error) {
      if (error instanceof OutgoingFailure) return { kind: 'away', reason: error.message };
      throw error;
    }
  }
}

function readAnswer(status: number, body: Buffer): GatewayAnswer {
  if (status === TOO_MANY_REQUESTS || status >= 500) return { kind: 'away', reason: `answers ${status}` };
  if (status < 200 || status >= 300) return { kind: 'refused', status };
  return { kind: 'taken', rejected: rejectedIn(body) };
}

/** A gateway that has the notification may answer what it likes. */
function rejectedIn(body: Buffer): readonly string[] {
  try {
    const answer: unknown = JSON.parse(body.toString());
    const rejected = isJsonObject(answer) ? answer['rejected'] : undefined;
    return Array.isArray(rejected) ? rejected.filter((key) => typeof key === 'string') : [];
  } catch {
    return [];
  }
}
