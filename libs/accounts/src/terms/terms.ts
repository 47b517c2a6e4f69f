import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { readTerms, type TermsDocument } from '#config/terms/read-terms';
import type { JsonObject } from '#kernel/json';

/** Which version of each document somebody has accepted, by its id. */
export type AcceptedTerms = Readonly<Record<string, string>>;

/** The documents that people of this server accept, as the operator has them (`ANNALS_TERMS`). */
@Injectable()
export class Terms {
  readonly documents: readonly TermsDocument[];

  constructor(@Inject(CONFIG) config: Pick<Config, 'terms'>) {
    this.documents = readTerms(config.terms);
  }

  /** Whether there are any. */
  get areThere(): boolean {
    return this.documents.length > 0;
  }

  /** As clients are told: client-server API, "Terms of service at registration". */
  get policies(): JsonObject {
    return Object.fromEntries(this.documents.map(({ id, version, languages }) => [id, { version, ...languages }]));
  }

  /** What is accepted by who accepts all of it now. */
  get versions(): AcceptedTerms {
    return versionsOf(this.documents);
  }

  /** The documents that somebody has not accepted in the version of today. */
  missing(accepted: AcceptedTerms = {}): readonly TermsDocument[] {
    return this.documents.filter(({ id, version }) => accepted[id] !== version);
  }
}

/** What is accepted by who accepts these documents. */
export function versionsOf(documents: readonly TermsDocument[]): AcceptedTerms {
  return Object.fromEntries(documents.map(({ id, version }) => [id, version]));
}
