import { Inject, Injectable, Logger } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { Listener } from '#projections/listener';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { forgetStreamSnapshots } from '#read-models/stream-snapshots';
import { asksForErasure } from './facts/erasable-parts.js';

/**
 * Lets go of what the stream of a user was folded to, once they are erased: also where an older copy of the views has it, that was put back since. Whoever erases them waits for
 * that (`AccountErasure`), and not for this.
 */
@Injectable()
export class ForgottenAccounts implements Listener {
  readonly name = 'forgotten-accounts';
  readonly reads = [];
  readonly hearsPast = true;
  readonly #log = new Logger('accounts');

  constructor(@Inject(READ_MODEL_STORE) private readonly readModels: ReadModelStore) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) {
      if (!asksForErasure(fact)) continue;
      forgetStreamSnapshots(this.readModels, fact.stream).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'the snapshots of somebody who is erased were not removed');
      });
    }
  }
}
