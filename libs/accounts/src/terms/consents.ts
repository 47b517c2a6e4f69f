import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { UserId } from '#kernel/ids';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { type AcceptedTerms, Terms } from './terms.js';

/** Where the page is on which people accept terms. */
export const CONSENT_PATH = '_matrix/static/client/consent';

/** Whose page it is, and the path of this server to which they go on from there. */
export interface ConsentLink {
  readonly userId: UserId;
  readonly goesOnTo?: string;
}

/**
 * Links to the page on which somebody accepts the terms that they have not accepted. They say whose they are, sealed: a browser in which nobody is logged
 * in opens them, and nobody makes one up for somebody else.
 */
@Injectable()
export class Consents {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    private readonly terms: Terms,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'areTermsRequired'>,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'consent to terms');
  }

  /** Where somebody has to go before they do more than read; undefined where nothing keeps them from that. */
  findUri(userId: UserId, accepted: AcceptedTerms | undefined): string | undefined {
    const isKeptBack = this.config.areTermsRequired && this.terms.missing(accepted).length > 0;
    return isKeptBack ? this.urlOf({ userId }) : undefined;
  }

  urlOf(link: ConsentLink): string {
    return `${this.config.publicUrl}/${CONSENT_PATH}?link=${sealText(this.#key, JSON.stringify(link))}`;
  }

  /** What a link says; undefined where it is none of ours. */
  open(sealed: string): ConsentLink | undefined {
    const text = openText(this.#key, sealed);
    return text === undefined ? undefined : (JSON.parse(text) as ConsentLink); // as `urlOf` wrote it
  }
}
