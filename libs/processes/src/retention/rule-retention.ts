import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore, type NewFact } from '#event-store/event-store';
import { draftOf, type FactDraft } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import { VIEWS, type Views } from '#projections/views';
import { RETENTION_STREAM, type RetentionRuled } from '#rooms/facts/retention-facts';

export const NO_RULES: RetentionRuled = { on: false, default: {}, allowed: {} };

/** By what rules a log says that messages are kept, as of its last fact of that. */
export function evolveRetention(_: RetentionRuled, { data }: Pick<NewFact, 'data'>): RetentionRuled {
  return JSON.parse(data) as RetentionRuled; // written by `RuleRetention`
}

/** Notes in the log by what rules messages are kept, where the settings are others than they were at the last start. */
@Injectable()
export class RuleRetention {
  readonly #streams: Aggregates<RetentionRuled>;

  constructor(
    @Inject(EVENT_STORE) store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'retention'>,
  ) {
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: 1,
      newestOnly: true,
      initialState: NO_RULES,
      evolve: evolveRetention,
    });
  }

  /** Settles when the views go by the settings. */
  async rule(): Promise<void> {
    const rules = this.#rules();
    const decide = (before: RetentionRuled): readonly FactDraft[] =>
      isDeepStrictEqual(before, rules) ? [] : [draftOf({ type: 'retention-ruled', data: rules })];
    const { position } = await this.#streams.execute(RETENTION_STREAM, decide, { actor: 'server' });
    await this.views.whenProcessed(position);
  }

  #rules(): RetentionRuled {
    const { isOn, defaultMinMs, defaultMaxMs, allowedMinMs, allowedMaxMs } = this.config.retention;
    if (!isOn) return NO_RULES;
    return {
      on: true,
      default: { ...said('min_lifetime', defaultMinMs), ...said('max_lifetime', defaultMaxMs) },
      allowed: { ...said('min', allowedMinMs), ...said('max', allowedMaxMs) },
    };
  }
}

function said(key: string, value: number | undefined): Readonly<Record<string, number>> {
  return value === undefined ? {} : { [key]: value };
}
