import type { NewFact } from '#event-store/event-store';
import { type FactDraft, draftOf } from '#event-store/seal-facts';

/** What was decided of content, whichever media have it. */
export interface DecidedContent {
  readonly isQuarantined: boolean;
}

export const NOTHING_DECIDED: DecidedContent = Object.freeze({ isQuarantined: false });

export function evolveContent(_: DecidedContent, { type }: Pick<NewFact, 'type'>): DecidedContent {
  return { isQuarantined: type === 'content-quarantined' };
}

/** Nothing where it is in quarantine already. */
export function decideQuarantine({ isQuarantined }: DecidedContent, reason: string | undefined): FactDraft[] {
  return isQuarantined ? [] : [draftOf({ type: 'content-quarantined', data: { reason } })];
}

/** Nothing where it is not in quarantine. */
export function decideRelease({ isQuarantined }: DecidedContent): FactDraft[] {
  return isQuarantined ? [draftOf({ type: 'content-released', data: {} })] : [];
}
