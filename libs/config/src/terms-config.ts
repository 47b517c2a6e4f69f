import { resolve } from 'node:path';
import type { Settings } from './settings.js';

export interface TermsConfig {
  /** The absolute path of the file of the documents that people accept: see `readTerms`. */
  readonly terms?: string;
  /** Whether who has not accepted the newest of them may do no more than read. */
  readonly areTermsRequired: boolean;
}

/** All of it checked by the validator. */
export function termsOf({ terms, terms_required: required }: Settings): TermsConfig {
  return { terms: terms === undefined ? undefined : resolve(terms), areTermsRequired: required === 'on' };
}
