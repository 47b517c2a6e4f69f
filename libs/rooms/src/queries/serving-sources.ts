import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { VIEWS, type Views } from '#projections/views';
import type { PduSources } from './read-pdus.js';
import { ServerAcls } from './server-acls.js';

/** What other servers are served from, each as it may see it. */
@Injectable()
export class ServingSources implements PduSources {
  constructor(
    @Inject(VIEWS) readonly views: Views,
    @Inject(EVENT_STORE) readonly store: EventStore,
    readonly acls: ServerAcls,
  ) {}
}
