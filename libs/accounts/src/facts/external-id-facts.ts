import { hash } from 'node:crypto';
import type { Upcast } from '#event-store/fact-shapes';
import type { KeyedNames } from '#event-store/keyed-names';
import type { UserId } from '#kernel/ids';

/** An account elsewhere: of which provider, and what that calls it for ever. */
export interface ExternalId {
  readonly provider: string;
  readonly subject: string;
}

/** What tells an account elsewhere from all others, where it can be erased. */
export function externalIdHash({ provider, subject }: ExternalId): string {
  return hash('sha256', JSON.stringify([provider, subject]), 'hex');
}

/**
 * An account elsewhere is one stream, by its hash (`externalIdHash`). The stream is called by what this server alone knows it by: subjects are small numbers or
 * addresses at some providers, which a plain hash would tell to who tries them all, and the name of a stream can never be taken out of the log.
 */
export const externalIdStream = (names: KeyedNames, idHash: string): string =>
  `external-id-${names.nameOf('account elsewhere', idHash)}`;

/**
 * `external-id-claimed`: the account elsewhere is to be this user's, who says so too (`external-id-linked`). The last claim alone counts, and
 * none where the user does not say so: the write that was to follow it came to nothing.
 */
export interface ExternalIdClaimed {
  readonly user_id: UserId;
}

/** How old shapes of these facts become today's. */
export const EXTERNAL_ID_SHAPES: Readonly<Record<'external-id-claimed' | 'external-id-released', readonly Upcast[]>> = {
  'external-id-claimed': [],
  // It is nobody's any more, and the log lets go of whose it was. Says nothing.
  'external-id-released': [],
};
