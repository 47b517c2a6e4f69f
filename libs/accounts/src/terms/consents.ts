import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { keyFor } from '#protocol/signing/key-for';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { type AcceptedTerms, Terms } from './terms.js';

/** Where the page is on which people accept terms. */
export const CONSENT_PATH = '_matrix/static/client/consent';

/** Who comes late is given another one as they are refused the next time. */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

/** Whose page it is, and the path of this server to which they go on from there. */
export interface ConsentLink {
  readonly userId: UserId;
  readonly goesOnTo?: string;
}

/**
 * Links to the page on which somebody accepts the terms that they have not accepted. They say whose they are, sealed: a browser in which nobody is logged
 * in opens them, and nobody makes one up for somebody else. Each is good for a day.
 */
@Injectable()
export class Consents {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    private readonly terms: Terms,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'areTermsRequired'>,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'consent to terms');
  }

  /** Makes a link, as often as it is asked, to where somebody has to go before they do more than read; undefined where nothing keeps them from that. */
  findLink(userId: UserId, accepted: AcceptedTerms | undefined): (() => string) | undefined {
    const isKeptBack = this.config.areTermsRequired && this.terms.missing(accepted).length > 0;
    return isKeptBack ? () => this.urlOf({ userId }) : undefined;
  }

  urlOf(link: ConsentLink): string {
    const until = this.clock.now() + LIFETIME_MS;
    return `${this.config.publicUrl}/${CONSENT_PATH}?link=${sealText(this.#key, JSON.stringify({ ...link, until }))}`;
  }

  /** What a link says; undefined where it is none of ours, or its time is over. */
  open(sealed: string): ConsentLink | undefined {
    const text = openText(this.#key, sealed);
    if (text === undefined) return undefined;
    // As `urlOf` wrote it; those of before had no end.
    const { until = 0, ...link } = JSON.parse(text) as ConsentLink & { readonly until?: number };
    return until > this.clock.now() ? link : undefined;
  }
}
