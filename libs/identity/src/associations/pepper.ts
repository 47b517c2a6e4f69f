import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { ByTheClock } from '#projections/by-the-clock';
import { VIEWS, type Views } from '#projections/views';
import { holdsAt } from '../decide/association.js';
import { draftIdentityFacts } from '../facts/draft-identity-facts.js';
import { PEPPER_STREAM } from '../facts/identity-facts.js';
import { ASSOCIATION_HASHES, PEPPER } from '../projections/identity.projector.js';

const LOOK_MS = 60 * 60_000;
/** Hashes that somebody computed beforehand are of no use for longer. */
const LIFETIME_MS = 7 * 24 * 3600_000;
/** More than an address book has. */
const MOST_AT_ONCE = 10_000;

/** The pepper of the hashes by which identifiers are looked up: a new one each week. Identity service API, "Association lookup". */
@Injectable()
export class Pepper extends ByTheClock {
  readonly #log = new Logger('identity');
  readonly #set: Aggregates<number>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'identityRole'>,
  ) {
    super();
    const evolve = (_: number, { metadata }: NewFact): number => metadata.at;
    this.#set = new Aggregates({
      store,
      clock,
      capacity: 1,
      initialState: -Infinity,
      evolve,
      newestOnly: true,
    });
  }

  /** The pepper of now. */
  async get(): Promise<string> {
    const known = await PEPPER.get(this.views, ['pepper']);
    if (known !== undefined) return known;
    await this.#renew();
    return (await PEPPER.get(this.views, ['pepper']))!; // what was set is shown
  }

  /** Whose identifiers are by now, by their hashes, in their order. Throws M_INVALID_PEPPER where they were made with another pepper, M_TOO_LARGE for too many. */
  async lookUp(pepper: string, hashes: readonly string[]): Promise<(UserId | undefined)[]> {
    if (hashes.length > MOST_AT_ONCE) throw new MatrixError('M_TOO_LARGE', `addresses: ${MOST_AT_ONCE} at most`);
    const current = await this.get();
    if (pepper !== current) {
      const fields = { lookup_pepper: current, algorithm: 'sha256' };
      throw new MatrixError('M_INVALID_PEPPER', undefined, { fields });
    }
    const rows = await ASSOCIATION_HASHES.getMany(
      this.views,
      hashes.map((one) => [one] as const),
    );
    const now = this.clock.now();
    return rows.map((row) => (row !== undefined && holdsAt(row, now) ? row.mxid : undefined));
  }

  protected beginToLook(): void {
    if (this.config.identityRole !== undefined) this.looks.soon();
  }

  protected async doDue(): Promise<number> {
    await this.#renew();
    return LOOK_MS;
  }

  protected lookFailed(error: unknown): void {
    this.#log.warn({ err: error }, 'the pepper of look-ups was not renewed');
  }

  /** Renews it where it is old. */
  async #renew(): Promise<void> {
    const pepper = randomBytes(24).toString('base64url');
    const { position } = await this.#set.execute(
      PEPPER_STREAM,
      (at) => {
        // One that was set in a time to come was set by a clock that was put back since.
        if (Math.abs(this.clock.now() - at) < LIFETIME_MS) return [];
        return draftIdentityFacts([{ type: 'pepper-set', data: { pepper } }]);
      },
      { actor: 'server' },
    );
    await this.views.whenProcessed(position, [PEPPER.name]);
  }
}
