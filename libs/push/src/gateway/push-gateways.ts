import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Outgoing, OutgoingFailure } from '#http/outgoing/outgoing';
import { placeOf } from '#http/outgoing/place-of';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { doublingPause } from '#kernel/doubling-pause';
import type { PusherSet } from '../facts/pusher-facts.js';
import { GatewayTurns, MOST_AT_ONCE } from './gateway-turns.js';
import type { GatewayRequest } from './notification.js';

/**
 * What became of notifications: the gateway has them; it refuses some, which others may not be; or it is not there, for now. Or there was
 * nothing to send.
 */
export interface GatewayAnswer {
  readonly kind: 'taken' | 'refused' | 'away' | 'nothing';
  /** Of whom the gateway has what it was sent, whatever became of the rest. */
  readonly told: readonly PusherSet[];
  /** The pushkeys of those that it says are none any more. */
  readonly rejected: readonly string[];
}

type Outcome = { readonly kind: 'taken'; readonly rejected: readonly string[] } | { readonly kind: 'refused' | 'away' };

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

  constructor(
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'pushPrivateGateways'>,
  ) {}

  /** How many are being spoken to, or waited for. */
  get size(): number {
    return this.#turns.size;
  }

  /**
   * Sends what `make` answers when it is the gateway's turn. What is to be said is asked for right before it is said. `failures`: how often
   * in a row it was not taken before. Throws what `make` throws, and where this process ends.
   */
  async notify(url: string, make: () => Promise<readonly GatewayRequest[]>, failures: number): Promise<GatewayAnswer> {
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

  /** Whether it failed so often, whomever it was to tell of, that hardly anybody speaks to it. */
  isAway(url: string): boolean {
    return this.#turns.get(new URL(url).host)?.isAway === true;
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

  /** What one refuses says nothing of the others; where it is not there, nothing more is tried. */
  async #sendAll(url: string, requests: readonly GatewayRequest[], signal: AbortSignal): Promise<GatewayAnswer> {
    const [told, rejected]: [PusherSet[], string[]] = [[], []];
    let kind: GatewayAnswer['kind'] = 'nothing';
    for (const { body, pushers } of requests) {
      const outcome = await this.#send(url, body, signal);
      if (outcome.kind === 'taken') {
        told.push(...pushers);
        rejected.push(...outcome.rejected);
      }
      if (kind !== 'refused' || outcome.kind === 'away') kind = outcome.kind;
      if (kind === 'away') break;
    }
    return { kind, told, rejected };
  }

  /** Users choose gateways: where other servers may be at private addresses, they may not therefore. */
  #isVouchedFor(url: string): boolean {
    const { hostname, port } = new URL(url);
    const named = `${hostname}:${port === '' ? DEFAULT_PORT : port}`;
    return this.config.pushPrivateGateways.some((gateway) => gateway === hostname || gateway === named);
  }

  async #send(url: string, notification: JsonObject, signal: AbortSignal): Promise<Outcome> {
    const gateway = new URL(url);
    const { host, pathname, search } = gateway;
    const mayBePrivate = this.#isVouchedFor(url);
    const place = placeOf(gateway, { connections: MOST_AT_ONCE, mayBePrivate, trustsPublicToo: true });
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
      if (error instanceof OutgoingFailure) return { kind: 'away' };
      throw error;
    }
  }
}

function readAnswer(status: number, body: Buffer): Outcome {
  if (status === TOO_MANY_REQUESTS || status >= 500) return { kind: 'away' };
  if (status < 200 || status >= 300) return { kind: 'refused' };
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
