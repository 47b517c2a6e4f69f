import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import { foldRegistrationTokenFact } from '../decide/fold-facts.js';
import { NO_REGISTRATION_TOKEN, type RegistrationToken } from '../decide/registration-token.js';
import { tokenHashOfStream } from '../facts/registration-token-facts.js';

/** What became of a token so far. `revision`: of the last fact it holds. */
export interface RegistrationTokenRow extends RegistrationToken {
  readonly created_ts: number;
  readonly revision: number;
}

export const REGISTRATION_TOKENS = new Collection<readonly [hash: string], RegistrationTokenRow>(
  'registration-tokens',
  {
    key: ['sha256 of the token'],
    says: 'uses, expiry, whether revoked; its text, where that is kept',
    codec: asJson(),
  },
);

/** What an operator sees of registration tokens. */
export const registrationTokensProjector: Projector = {
  name: 'registration-tokens',
  version: 2,
  ...owning(REGISTRATION_TOKENS),
  handles: (type) => type.startsWith('registration-token-'),
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [tokenHashOfStream(fact.stream)] as const;
  const before = await REGISTRATION_TOKENS.get(rows, key);
  // Uses are counted: a fact applied before must not count again.
  if (before !== undefined && fact.revision <= before.revision) return;
  REGISTRATION_TOKENS.put(rows, key, {
    ...foldRegistrationTokenFact(before ?? NO_REGISTRATION_TOKEN, fact),
    created_ts:
      before === undefined || fact.type === 'registration-token-created' ? fact.metadata.at : before.created_ts,
    revision: fact.revision,
  });
}
