import { Inject, Injectable } from '@nestjs/common';
import { jsonOf, kindOfRows } from '#personal-data/kind-of-rows';
import { PersonalData, type PersonalDataKind } from '#personal-data/personal-data';
import { VIEWS, type Views } from '#projections/views';
import { MailPushers } from './digests/mail-pusher.js';
import { PUSH_RULE_SHAPES } from './facts/push-rule-facts.js';
import { PUSHER_SHAPES } from './facts/pusher-facts.js';
import { PUSH_RULES } from './projections/push-rules.projector.js';
import { PUSHER_USERS, PUSHERS } from './projections/pushers.projector.js';

/** What people have of this domain, for who asks for their data. */
@Injectable()
export class PushData {
  constructor(data: PersonalData, mails: MailPushers, @Inject(VIEWS) views: Views) {
    data.add(
      kindOfRows(views, {
        name: 'push-rules',
        chapter: 'devices',
        isCountedAsErased: true,
        title: 'Push rules',
        about: 'What you want to be notified of, as far as it differs from the rules of everybody.',
        rows: PUSH_RULES,
        facts: Object.keys(PUSH_RULE_SHAPES),
        record: (_, { changes }) => jsonOf(changes),
      }),
      pushers(views, mails),
    );
  }
}

/** What mails stands in views by a name: the user's own address is told. */
function pushers(views: Views, mails: Pick<MailPushers, 'listAddresses'>): PersonalDataKind {
  const kind = kindOfRows(views, {
    name: 'pushers',
    chapter: 'places',
    isCountedAsErased: true,
    title: 'Push gateways',
    about:
      'The services to which your notifications are sent, for which application, and what they know your device by; or your mail address to which they are.',
    rows: PUSHERS,
    alsoCollections: [PUSHER_USERS],
    facts: Object.keys(PUSHER_SHAPES),
    record: (_, { set_at: set, ...pusher }) => ({ ...jsonOf(pusher), set_ts: set }),
  });
  return {
    ...kind,
    async *read(userId) {
      const addresses = await mails.listAddresses(userId);
      for await (const { data } of kind.read(userId)) {
        const address = data['kind'] === 'email' ? addresses.get(String(data['pushkey'])) : undefined;
        yield { data: address === undefined ? data : { ...data, pushkey: address } };
      }
    },
  };
}
