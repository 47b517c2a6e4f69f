import { randomUUID } from 'node:crypto';
import { erasableText } from '#event-store/erasable-text';
import type { FactDraft } from '#event-store/seal-facts';
import { ASSOCIATION_TAIL, type IdentityFact } from './identity-facts.js';

/** Facts as they are appended: what may have to go stands in the tail. */
export function draftIdentityFacts(facts: readonly IdentityFact[]): FactDraft[] {
  return facts.map(({ type, data }) => ({
    id: randomUUID(),
    type,
    ...('of' in data && data.of !== null
      ? erasableText({ ...data }, ...ASSOCIATION_TAIL.keys)
      : { data: JSON.stringify(data) }),
  }));
}
