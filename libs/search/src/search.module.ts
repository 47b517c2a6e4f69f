import { Module } from '@nestjs/common';
import { SearchController } from './doors/search.controller.js';

/** Finding events by their words. Needs VIEWS, CLOCK and ACCESS_TOKENS from global modules. */
@Module({ controllers: [SearchController] })
export class SearchModule {}
