import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import { foldRegistrationTokenFact } from '../decide/fold-facts.js';
import { NO_REGISTRATION_TOKEN, type RegistrationToken } from '../decide/registration-token.js';
import { tokenHashOfStream } from '../facts/registration-token-facts.js';

/** `registration-tokens` [sha256 hex of the token]. `revision`: of the last fact it holds. */
export interface RegistrationTokenRow extends RegistrationToken {
  readonly created_ts: number;
  readonly revision: number;
}

/** What an operator sees of registration tokens. */
export const registrationTokensProjector: Projector = {
  name: 'registration-tokens',
  version: 1,
  collections: ['registration-tokens'],
  handles: (type) => type.startsWith('registration-token-'),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [tokenHashOfStream(fact.stream)];
  const text = await rows.get('registration-tokens', key);
  const before = text === undefined ? undefined : (JSON.parse(text) as RegistrationTokenRow);
  // Uses are counted: a fact applied before must not count again.
  if (before !== undefined && fact.revision <= before.revision) return;
  const row: RegistrationTokenRow = {
    ...foldRegistrationTokenFact(before ?? NO_REGISTRATION_TOKEN, fact),
    created_ts: before?.created_ts ?? fact.metadata.at,
    revision: fact.revision,
  };
  rows.put('registration-tokens', key, JSON.stringify(row));
}
