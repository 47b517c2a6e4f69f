import { Module } from '@nestjs/common';
import { SearchController } from './doors/search.controller.js';
import { SealedPlaces } from './queries/sealed-places.js';
import { SearchTurns } from './queries/search-turns.js';

/** Finding events by their words. Needs VIEWS, CLOCK, SIGNING_KEY and ACCESS_TOKENS from global modules. */
@Module({ controllers: [SearchController], providers: [SealedPlaces, SearchTurns] })
export class SearchModule {}
