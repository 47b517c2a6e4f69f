import { Inject, Injectable } from '@nestjs/common';
import { PersonalData } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_SHAPES } from './facts/alias-facts.js';
import { ALIASES, ROOM_ALIASES } from './projections/directory.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class DirectoryData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views) {
    data.add({
      name: 'aliases',
      chapter: 'rooms',
      title: 'Aliases',
      about: 'Those that you gave to rooms.',
      covers: { collections: [ALIASES, ROOM_ALIASES], facts: Object.keys(ALIAS_SHAPES) },
      // They are found by their names alone.
      async *read(userId) {
        for await (const page of ALIASES.pages(views, {})) {
          for (const { key, value } of page) {
            if (value.creator !== userId) continue;
            const alias = (await ROOM_ALIASES.get(views, [value.room_id, key[0]])) ?? key[0];
            yield { data: { alias, room_id: value.room_id } };
          }
        }
      },
    });
  }
}
