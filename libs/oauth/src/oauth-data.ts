import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '#kernel/clock';
import { PersonalData } from '#personal-data/personal-data';
import { KeptSignIns } from './sign-ins.js';

/** What people have of this domain, for who asks for their data. What applications have of it stands among their devices. */
@Injectable()
export class OAuthData {
  constructor(data: PersonalData, signIns: KeptSignIns, @Inject(CLOCK) clock: Clock) {
    data.add({
      name: 'browsers',
      chapter: 'places',
      isCountedAsErased: true,
      title: 'Browsers',
      about: 'Those in which you are signed in to the pages of this server, and until when.',
      covers: { collections: [], facts: ['browser-signed-in', 'browser-signed-out'] },
      async *read(userId) {
        for (const { expires_at: until } of (await signIns.of(userId)).browsers.values())
          if (until > clock.now()) yield { data: { signed_in_until_ts: until } };
      },
    });
  }
}
