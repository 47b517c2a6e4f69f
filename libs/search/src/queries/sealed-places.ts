import { Inject, Injectable } from '@nestjs/common';
import type { UserId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { keyFor } from '#protocol/signing/key-for';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import type { SearchRequest } from './parse-search.js';
import { formatSearchPlace, noToken, parseSearchPlace, type SearchPlace } from './search-token.js';

/** So long is what is sealed, or a multiple of it: how long a token is says nothing of what is in it. */
const PADDED_BYTES = 512;

/** Somebody's search, as far as it says what is found and in which order: where a page of it ended is good for this alone. */
type SealedFor = string & { readonly __brand: 'SealedFor' };

/** What places of a search are good for: the reader's further pages of the same, with as much of it and besides it as they like. */
export function sealedFor(reader: UserId, { term, kinds, filter, order }: SearchRequest): SealedFor {
  const { types, not_types, senders, not_senders, rooms, not_rooms, contains_url } = filter;
  const wanted = [types, not_types, senders, not_senders, rooms, not_rooms, contains_url];
  return JSON.stringify([reader, term, [...kinds].toSorted(), order, ...wanted]) as SealedFor;
}

/**
 * `next_batch`: where a page ended, sealed under a key made of the server's signing key, so that every process of the server reads it and
 * nobody else. Where a search had to stop before it had found enough, it stopped at a text that the reader may not be shown; and one who
 * could write places, or take those of one search to another, could feel for what is hidden by where the next page begins.
 */
@Injectable()
export class SealedPlaces {
  readonly #key: Buffer;

  constructor(
    @Inject(SIGNING_KEY) signingKey: SigningKey,
    @Inject(VIEWS) private readonly views: Pick<Views, 'history' | 'position'>,
  ) {
    this.#key = keyFor(signingKey.exportSeed(), 'search place');
  }

  format(place: SearchPlace, search: SealedFor): string {
    return this.seal(formatSearchPlace(this.views.history, place), search);
  }

  /** Reads what `format` wrote for the same search; where a place was lost it begins again. Throws M_INVALID_PARAM. */
  parse(token: string, search: SealedFor): SearchPlace {
    const text = openText(this.#key, token, search);
    if (text === undefined) throw noToken();
    return parseSearchPlace(this.views.history, text, this.views.position());
  }

  /** A token with any text in it. */
  seal(text: string, search: SealedFor): string {
    const padding = ' '.repeat(PADDED_BYTES - (Buffer.byteLength(text) % PADDED_BYTES));
    return sealText(this.#key, text + padding, search);
  }
}
