import { Inject, Injectable } from '@nestjs/common';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import { PersonalData } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { CONTACT_SHAPES } from './facts/contact-facts.js';
import { CONTACT_ADDRESSES, CONTACT_USERS, CONTACTS, SHARED_ADDRESSES } from './projections/contacts.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class ContactsData {
  constructor(data: PersonalData, @Inject(VIEWS) views: Views) {
    data.add(
      kindOfRows(views, {
        name: 'contacts',
        chapter: 'people',
        isCountedAsErased: true,
        title: 'Address book',
        about: 'What you wrote down of people, and who of them is known by it to an identity server.',
        rows: CONTACTS,
        alsoCollections: [CONTACT_USERS, CONTACT_ADDRESSES],
        facts: Object.keys(CONTACT_SHAPES),
        record: ([, id], { contact, put_ts: put, matches }) => {
          return { contact_id: id, ...jsonOf(contact), put_ts: put, known_as: matches?.map(jsonOf) };
        },
      }),
      kindOfRows(views, {
        name: 'shared-addresses',
        chapter: 'people',
        isCountedAsErased: true,
        title: 'Addresses of several people',
        about: 'Those that tell nobody apart.',
        rows: SHARED_ADDRESSES,
        facts: [],
        record: ([, medium, address]) => ({ medium, address }),
      }),
    );
  }
}
