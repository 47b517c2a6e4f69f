import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { PresenceLists, type ToldByOther } from '#ephemeral/lists/presence-lists';
import { isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { Outbox } from '../sending/outbox.js';
import type { EduHandler } from '../edus/edu-handlers.js';
import { ASK, PRESENCE_ACCEPT, PRESENCE_DENY, PRESENCE_DROP, PRESENCE_INVITE } from './presence-list-source.js';

/** Takes what another server tells of the presence lists of its users, and of ours on which they are. */
@Injectable()
export class TellPresenceLists {
  constructor(
    private readonly lists: PresenceLists,
    private readonly outbox: Outbox,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** `teller`: which of the two is of the other server, whose doing it is. What is told of anybody else is let be. */
  async take(origin: ServerName, content: JsonObject, teller: Side, what: ToldByOther['what']): Promise<void> {
    const [theirs, ours] = [content[teller], content[teller === OBSERVED ? OBSERVER : OBSERVED]];
    if (!isUserOf(theirs, origin) || !isUserOf(ours, this.config.serverName)) return;
    const ask = readAsk(content[ASK]);
    const isThere = await this.lists.note(ours, { what, ask }, theirs, { actor: theirs });
    // Nobody is there who could be asked. Where this is lost they wait, as for anybody who does not answer.
    if (isThere || what !== 'asked') return;
    const answered = { [OBSERVED]: ours, [OBSERVER]: theirs, ...(ask === undefined ? {} : { [ASK]: ask }) };
    this.outbox.sendEdu(origin, { edu_type: PRESENCE_DENY, content: answered });
  }
}

const OBSERVED = 'observed_user';
const OBSERVER = 'observer_user';
type Side = typeof OBSERVED | typeof OBSERVER;

function isUserOf(userId: JsonValue | undefined, server: ServerName): userId is UserId {
  return typeof userId === 'string' && isUserId(userId) && serverNameOf(userId) === server;
}

function readAsk(ask: JsonValue | undefined): number | undefined {
  return typeof ask === 'number' && Number.isSafeInteger(ask) ? ask : undefined;
}

/** `m.presence_invite`: a user of another server asks to see one of ours. */
@Injectable()
export class PresenceInviteHandler implements EduHandler {
  readonly type = PRESENCE_INVITE;

  constructor(private readonly lists: TellPresenceLists) {}

  receive(origin: ServerName, content: JsonObject): Promise<void> {
    return this.lists.take(origin, content, OBSERVER, 'asked');
  }
}

/** `m.presence_accept`: a user of another server lets one of ours see them. */
@Injectable()
export class PresenceAcceptHandler implements EduHandler {
  readonly type = PRESENCE_ACCEPT;

  constructor(private readonly lists: TellPresenceLists) {}

  receive(origin: ServerName, content: JsonObject): Promise<void> {
    return this.lists.take(origin, content, OBSERVED, 'accepted');
  }
}

/** `m.presence_deny`: a user of another server does not let one of ours see them, or no more. */
@Injectable()
export class PresenceDenyHandler implements EduHandler {
  readonly type = PRESENCE_DENY;

  constructor(private readonly lists: TellPresenceLists) {}

  receive(origin: ServerName, content: JsonObject): Promise<void> {
    return this.lists.take(origin, content, OBSERVED, 'refused');
  }
}

/** `dev.annals.presence_drop`: a user of another server does not want to see one of ours any more. */
@Injectable()
export class PresenceDropHandler implements EduHandler {
  readonly type = PRESENCE_DROP;

  constructor(private readonly lists: TellPresenceLists) {}

  receive(origin: ServerName, content: JsonObject): Promise<void> {
    return this.lists.take(origin, content, OBSERVER, 'dropped');
  }
}
