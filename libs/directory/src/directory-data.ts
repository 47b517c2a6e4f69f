import { Inject, Injectable } from '@nestjs/common';
import { PersonalData } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { ALIAS_SHAPES } from './facts/alias-facts.js';
import { ALIASES, ROOM_ALIASES, USER_ALIASES } from './projections/directory.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class DirectoryData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views) {
    data.add({
      name: 'aliases',
      chapter: 'rooms',
      isCountedAsErased: false,
      title: 'Aliases',
      about: 'Those that you gave to rooms.',
      covers: { collections: [USER_ALIASES, ALIASES, ROOM_ALIASES], facts: Object.keys(ALIAS_SHAPES) },
      async *read(userId) {
        for await (const page of USER_ALIASES.pages(views, { prefix: [userId] })) {
          for (const { key } of page) {
            const row = await ALIASES.get(views, [key[1]]);
            if (row === undefined) continue;
            const alias = (await ROOM_ALIASES.get(views, [row.room_id, key[1]])) ?? key[1];
            yield { data: { alias, room_id: row.room_id } };
          }
        }
      },
    });
  }
}
