import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import type { PersonalDataKind } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import { DEHYDRATED, DEVICES, REFRESH_TOKENS, TOKENS } from '../projections/devices.projector.js';
import type { Devices } from '../queries/devices.js';

/** Where somebody is logged in. */
export function sessionKinds(views: Views, devices: Devices): readonly PersonalDataKind[] {
  return [
    {
      name: 'devices',
      chapter: 'places',
      isCountedAsErased: true,
      title: 'Devices',
      about: 'Those on which you are logged in, and by which they came last, as far as this server remembers.',
      // Of tokens there is nothing to be told.
      covers: { collections: [DEVICES, TOKENS, REFRESH_TOKENS], facts: ['device-renamed'] },
      async *read(userId) {
        const seen = await devices.connections(userId);
        for await (const page of DEVICES.pages(views, { prefix: [userId] })) {
          for (const { key, value } of page) {
            const { display_name: name, created_ts: created, service, oauth, upstream } = value;
            const { at, ip, userAgent } = seen.get(key[1]) ?? {};
            const application = oauth && { name: oauth.client_name, at: oauth.client_uri, may: oauth.scope };
            const last = { last_seen_ts: at, last_seen_ip: ip, last_seen_by: userAgent };
            const through = { application_service: service, provider: upstream?.provider };
            yield { data: { device_id: key[1], name, created_ts: created, application, ...through, ...last } };
          }
        }
      },
    },
    kindOfRows(views, {
      name: 'dehydrated-device',
      chapter: 'devices',
      isCountedAsErased: true,
      title: 'A device that none of your applications holds',
      about: 'It takes messages for you while you are logged in nowhere; what it is made of is encrypted.',
      rows: DEHYDRATED,
      facts: ['device-dehydrated'],
      record: (_, row) => jsonOf(row),
    }),
  ];
}
