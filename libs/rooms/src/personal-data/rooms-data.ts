import { Inject, Injectable } from '@nestjs/common';
import { PersonalData } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { HISTORY, TIMELINE } from '../projections/timeline-collections.js';
import { membershipKinds } from './membership-kinds.js';
import { writtenEvents } from './written-events.js';

/** In these what somebody wrote stands among what others did. */
const WRITTEN = {
  collections: [TIMELINE, HISTORY],
  facts: ['pdu-accepted', 'pdu-redacted', 'outlier-stored', 'state-taken'],
};

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class RoomsData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views) {
    data.add(...membershipKinds(views), writtenEvents(views, WRITTEN));
  }
}
