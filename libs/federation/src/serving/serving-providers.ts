import type { Provider, Type } from '@nestjs/common';
import { EventsController } from '../doors/events.controller.js';
import { QueriesController } from '../doors/queries.controller.js';
import { LargeAnswers } from './large-answers.js';

/** The doors at which other servers ask about rooms and users. */
export const SERVING_DOORS: readonly Type[] = [EventsController, QueriesController];

/** What these need, for FederationModule. */
export const SERVING_PROVIDERS: readonly Provider[] = [LargeAnswers];
