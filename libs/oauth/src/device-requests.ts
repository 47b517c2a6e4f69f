import { randomBytes, randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { hashSecret } from '#accounts/credentials/secrets';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import type { Client } from './clients/client.js';
import type { Scope } from './decide/scope.js';
import { OAuthError } from './oauth-error.js';

/** A device that waits for its user to let it in (RFC 8628). */
export interface DeviceRequest {
  /** sha256 of the code that the device has. */
  readonly grant: string;
  readonly clientId: string;
  readonly client: Client;
  readonly scope: Scope;
  /** In milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What the device is told (RFC 8628, section 3.2), but where its user goes. */
export interface DeviceCodes {
  readonly device_code: string;
  readonly user_code: string;
  readonly expires_in: number;
  readonly interval: number;
}

/** Who let a device in, or that it was refused. */
export type Outcome = UserId | 'denied';

interface Waiting extends DeviceRequest {
  readonly userCode: string;
  outcome: Outcome | undefined;
  /** Who has said, or is saying, whether it is let in. */
  claimedBy: UserId | undefined;
  intervalMs: number;
  lastAskedAt: number | undefined;
}

const LIFETIME_MS = 15 * 60 * 1000;
const INTERVAL_MS = 3_000;
const SLOWER_MS = 5_000;
/** An answer may take longer than the one before. */
const TOLERANCE_MS = 500;
const CAPACITY = 1_000;
/** RFC 8628, section 6.1: no vowels, no words; 34 bits, of which a person guesses a few at the page. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

/** A note of who let a device in, by what the log has of its code. */
const noteOf = (grant: string): string => `device let in ${grant}`;

/**
 * The devices that wait. In the memory of this process alone, and bounded, as nobody has to say who they are to begin one: with a thousand
 * of them the one that was asked about the longest ago goes. What a user then lets a device do is in the log, and so is that they let it in: a device that
 * comes for its session finds that after a restart, too.
 */
@Injectable()
export class DeviceRequests {
  readonly #byGrant = new LruCache<string, Waiting>(CAPACITY);
  readonly #byUserCode = new LruCache<string, Waiting>(CAPACITY);

  constructor(
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly notes: AuthNotes,
  ) {}

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#byGrant.numbers;
  }

  /** Begins to wait. */
  begin(request: Pick<DeviceRequest, 'clientId' | 'client' | 'scope'>): DeviceCodes {
    const deviceCode = `annals_dc_${randomBytes(32).toString('base64url')}`;
    const letters = Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
    const waiting: Waiting = {
      ...request,
      grant: hashSecret(deviceCode),
      userCode: letters,
      expiresAt: this.clock.now() + LIFETIME_MS,
      outcome: undefined,
      claimedBy: undefined,
      intervalMs: INTERVAL_MS,
      lastAskedAt: undefined,
    };
    this.#byGrant.set(waiting.grant, waiting);
    this.#byUserCode.set(letters, waiting);
    return {
      device_code: deviceCode,
      user_code: `${letters.slice(0, 4)}-${letters.slice(4)}`,
      expires_in: LIFETIME_MS / 1000,
      interval: INTERVAL_MS / 1000,
    };
  }

  /** The device whose code somebody has typed, however they spell it; undefined where there is none that still waits. */
  find(userCode: string): DeviceRequest | undefined {
    const waiting = this.#find(userCode);
    return waiting?.outcome === undefined ? waiting : undefined;
  }

  /** What this user has said of the device that shows this code, where it was for them to say: a form may be sent twice. */
  outcomeBy(userId: UserId, userCode: string): Outcome | undefined {
    const waiting = this.#find(userCode);
    return waiting?.claimedBy === userId ? waiting.outcome : undefined;
  }

  /**
   * Has a user say whether the device is let in, to be settled once what they say is noted. Answers whether it is theirs to say: of several who come with one code it is the
   * first one's who answers, so nobody refuses what another is letting in.
   */
  claim({ grant }: DeviceRequest, userId: UserId): boolean {
    const waiting = this.#byGrant.get(grant);
    if (waiting === undefined || waiting.outcome !== undefined) return false;
    waiting.claimedBy ??= userId;
    return waiting.claimedBy === userId;
  }

  #find(userCode: string): Waiting | undefined {
    const waiting = this.#byUserCode.get(userCode.toUpperCase().replaceAll(/[^A-Z]/g, ''));
    return waiting !== undefined && waiting.expiresAt > this.clock.now() ? waiting : undefined;
  }

  /** Notes what its user said, durably where they let it in; nothing where they have said it before. Answers what counts. */
  async settle({ grant, clientId, expiresAt }: DeviceRequest, outcome: Outcome): Promise<Outcome> {
    const waiting = this.#byGrant.get(grant);
    if (waiting?.outcome !== undefined) return waiting.outcome;
    if (waiting !== undefined) waiting.outcome = outcome;
    if (outcome !== 'denied')
      await this.notes.keep(noteOf(grant), { user_id: outcome, client_id: clientId }, expiresAt);
    return outcome;
  }

  /**
   * Who has let the device in that asks with its code. Throws OAuthError `authorization_pending`, `slow_down` where it asks too often,
   * `access_denied`, `expired_token`, `invalid_grant` where it is another application's.
   */
  async userOf(deviceCode: string, clientId: string): Promise<LetIn> {
    const grant = hashSecret(deviceCode);
    const waiting = this.#byGrant.get(grant);
    if (waiting === undefined) return this.#letInBefore(grant, clientId);
    const now = this.clock.now();
    if (waiting.expiresAt <= now) throw expired();
    if (waiting.clientId !== clientId) throw ofAnother();
    if (waiting.outcome === 'denied') throw new OAuthError('access_denied', 'The user has said no');
    if (waiting.outcome !== undefined) return { userId: waiting.outcome, grant };
    const { lastAskedAt, intervalMs } = waiting;
    waiting.lastAskedAt = now;
    if (lastAskedAt === undefined || now - lastAskedAt >= intervalMs - TOLERANCE_MS)
      throw new OAuthError('authorization_pending', 'The user has not answered yet');
    waiting.intervalMs += SLOWER_MS;
    throw new OAuthError('slow_down', 'Ask less often');
  }

  /** By another process, or so long ago that a thousand others came since. */
  async #letInBefore(grant: string, clientId: string): Promise<LetIn> {
    const note = await this.notes.find(noteOf(grant));
    if (note === undefined || note === 'used') throw expired();
    const { user_id: userId, client_id: of } = note.content as { user_id: UserId; client_id: string }; // as `settle` wrote it
    if (of !== clientId) throw ofAnother();
    return { userId, grant };
  }
}

/** Who let a device in, and what the log has of its code. */
interface LetIn {
  readonly userId: UserId;
  readonly grant: string;
}

const expired = (): OAuthError => new OAuthError('expired_token', 'The code has expired');
const ofAnother = (): OAuthError => new OAuthError('invalid_grant', 'The code is of another application');
