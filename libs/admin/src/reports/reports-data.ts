import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { jsonOf } from '#personal-data/kind-of-rows';
import { PersonalData } from '#personal-data/personal-data';
import { REPORT_SHAPES } from '../facts/report-facts.js';
import { listReports } from './reports.js';

/** What people reported, for who asks for their data: not what they reported, for others wrote it. */
@Injectable()
export class ReportsData {
  constructor(data: PersonalData, @Inject(EVENT_STORE) store: EventStore) {
    data.add({
      name: 'reports',
      chapter: 'people',
      isCountedAsErased: false,
      title: 'Reports',
      about: 'What you reported to the operators of this server, and why, until they are done with it.',
      covers: { collections: [], facts: Object.keys(REPORT_SHAPES) },
      async *read(userId) {
        for (const { by, at, thing, told, isClosed } of await listReports(store)) {
          if (by !== userId) continue;
          yield { data: { at_ts: at, ...jsonOf(thing), reason: told?.reason, is_closed: isClosed } };
        }
      },
    });
  }
}
