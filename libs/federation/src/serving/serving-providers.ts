import type { Provider, Type } from '@nestjs/common';
import { EventsController } from '../doors/events.controller.js';
import { MediaController } from '../doors/media.controller.js';
import { QueriesController } from '../doors/queries.controller.js';
import { LargeAnswers } from './large-answers.js';

/** The doors at which other servers ask. */
export const SERVING_DOORS: readonly Type[] = [EventsController, MediaController, QueriesController];

/** What these need, for FederationModule. */
export const SERVING_PROVIDERS: readonly Provider[] = [LargeAnswers];
