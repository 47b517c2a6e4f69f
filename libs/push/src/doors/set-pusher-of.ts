import type { CommandBus } from '@nestjs/cqrs';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { RemovePusher } from '../commands/remove-pusher.js';
import { SetPusher } from '../commands/set-pusher.js';
import type { MailPushers } from '../digests/mail-pusher.js';
import { parsePusher } from './parse-pusher.js';

/** Does what a client asks to become of a pusher, in either API. Throws as `parsePusher` and the commands. */
export async function setPusher(
  commands: CommandBus,
  mails: MailPushers,
  requester: Requester,
  body: JsonObject,
): Promise<object> {
  const { name, pusher, append, named } = parsePusher(body, mails);
  if (pusher === undefined) await commands.execute(new RemovePusher(requester, name));
  else await commands.execute(new SetPusher(requester, pusher, { append, named }));
  return {};
}
