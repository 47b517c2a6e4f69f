import { Controller, HttpCode, Inject, Post, Put, Query } from '@nestjs/common';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { TODAY_AND_ALPHA, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { queryText, type Query as QueryValues } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { CLOCK, type Clock } from '#kernel/clock';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { EventForm } from '#rooms/queries/render-event';
import { readerOf } from '#rooms/reading/reader';
import { parseSearch } from '../queries/parse-search.js';
import { renderSearch } from '../queries/render-search.js';
import { sealedFor, SealedPlaces } from '../queries/sealed-places.js';
import { searchEvents } from '../queries/search-events.js';
import { SearchTurns } from '../queries/search-turns.js';
import type { SearchPlace } from '../queries/search-token.js';

/** Finding events by their words: client-server API, "Server Side Search". */
@WhileSuspended()
@Controller()
@Authenticated()
@RateLimited('search')
export class SearchController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly places: SealedPlaces,
    private readonly turns: SearchTurns,
  ) {}

  @Post(TODAY_AND_ALPHA.map((prefix) => `${prefix}/search`))
  @HttpCode(200)
  search(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryValues,
    @JsonBody() body: JsonObject,
  ): Promise<RawJson> {
    return this.#search(requester, query, body, 'today');
  }

  /** The same; events in the form of 2015. */
  @Post(`${V1}/search`)
  @HttpCode(200)
  searchV1(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryValues,
    @JsonBody() body: JsonObject,
  ): Promise<RawJson> {
    return this.#search(requester, query, body, 'v1');
  }

  /** API v1 lets every POST be a PUT with a transaction id behind its path. A search changes nothing: no answer is kept for a second try. */
  @Put(`${V1}/search/:txnId`)
  searchOnceV1(
    @CurrentRequester() requester: Requester,
    @Query() query: QueryValues,
    @JsonBody() body: JsonObject,
  ): Promise<RawJson> {
    return this.#search(requester, query, body, 'v1');
  }

  async #search(requester: Requester, query: QueryValues, body: JsonObject, form: EventForm): Promise<RawJson> {
    const { views, places } = this;
    const { userId } = requester;
    const request = parseSearch(body, userId);
    if (request === undefined) return new RawJson('{"search_categories":{}}');
    const search = sealedFor(userId, request);
    const token = queryText(query, 'next_batch');
    const from = token === undefined ? undefined : places.parse(token, search);
    const rendered = await this.turns.run(userId, async () => {
      const page = await searchEvents(views, await readerOf(views, requester), request, from);
      const tokenOf = (place: SearchPlace): string => places.format(place, search);
      return renderSearch(page, request, { form, now: this.clock.now(), history: views.history, tokenOf });
    });
    return new RawJson(`{"search_categories":{"room_events":${rendered}}}`);
  }
}
