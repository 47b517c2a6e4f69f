import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import {
  readSubscriptionFact,
  SUBSCRIPTIONS_STREAM_PREFIX,
  userIdOfSubscriptions,
} from '#ephemeral/facts/subscription-facts';
import {
  PRESENCE_LISTS,
  PRESENCE_LISTS_TOLD,
  type RelationRow,
  type ToldRelation,
} from '#ephemeral/projections/presence-lists.projector';
import { isAskedNow } from '#ephemeral/queries/is-asked-now';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { AddressedEdu, Edu, EduSource } from '../sending/edu-source.js';

/** The EDUs of presence lists: server-server API of 2015, "Presence". */
export const PRESENCE_INVITE = 'm.presence_invite';
export const PRESENCE_ACCEPT = 'm.presence_accept';
export const PRESENCE_DENY = 'm.presence_deny';
/** Who observes does no more. The documents leave out how the other's server hears of that. */
export const PRESENCE_DROP = 'dev.annals.presence_drop';
/** Which asking an invitation is, or what is said is an answer to; greater where it is taken back: a whole number that grows from one asking of two users to the next. */
export const ASK = 'dev.annals.ask';

/** What users of ours decide of presence lists, for the servers of who is on them, or asked. */
@Injectable()
export class PresenceListSource implements EduSource {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'scan'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  concerns({ stream }: RecordedFact): boolean {
    return stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX);
  }

  async edusOf(fact: RecordedFact): Promise<readonly AddressedEdu[]> {
    if (isSaidAgain(fact)) return [];
    const [owner, { type, data }] = [userIdOfSubscriptions(fact.stream), readSubscriptionFact(fact)];
    const server = serverNameOf(data.user_id);
    if (server === this.config.serverName || (type === 'watcher-ended' && data.by === 'other')) return [];
    const ask = 'ask' in data ? data.ask : undefined;
    if (type === 'subscription-asked' && !(await isAskedNow(this.views, [owner, data.user_id], ask))) return [];
    const edu = EDU_OF[type]?.(owner, data.user_id, ask);
    return edu === undefined ? [] : [{ destinations: [server], edu }];
  }

  async *missedBy(destination: ServerName, since: Position): AsyncGenerator<readonly Edu[]> {
    const range = { prefix: [destination], from: [destination, since] } as const;
    for await (const page of PRESENCE_LISTS_TOLD.pages(this.views, range)) {
      const edus: Edu[] = [];
      for (const { value } of page) edus.push(...(await this.#current(value)));
      yield edus;
    }
  }

  /** What is told of a side of two users as it is now: nothing of who asks anew and waits, for of that nothing is decided. */
  async #current([owner, other, side, ended]: ToldRelation): Promise<Edu[]> {
    const row = (await PRESENCE_LISTS.get(this.views, [owner, other])) ?? {};
    const { listed, watches, list_ask: ask, watch_ask: answered }: Partial<RelationRow> = row;
    if (side === 'list') return [listed === undefined ? dropped(owner, other, ended) : asked(owner, other, ask)];
    if (watches === 'asked') return [];
    return [watches === 'accepted' ? accepted(owner, other, answered) : refused(owner, other, ended)];
  }
}

/** `ask`: which asking it is, or is the answer to. */
type MakeEdu = (owner: UserId, other: UserId, ask?: number) => Edu;

const asked: MakeEdu = (owner, other, ask) => eduOf(PRESENCE_INVITE, other, owner, ask);
const dropped: MakeEdu = (owner, other, ask) => eduOf(PRESENCE_DROP, other, owner, ask);
const accepted: MakeEdu = (owner, other, ask) => eduOf(PRESENCE_ACCEPT, owner, other, ask);
const refused: MakeEdu = (owner, other, ask) => eduOf(PRESENCE_DENY, owner, other, ask);

const EDU_OF: Readonly<Partial<Record<string, MakeEdu>>> = {
  'subscription-asked': asked,
  'subscription-ended': dropped,
  'watcher-accepted': accepted,
  'watcher-ended': refused,
};

function eduOf(type: string, observed: UserId, observer: UserId, ask?: number): Edu {
  const content = { observed_user: observed, observer_user: observer, ...(ask === undefined ? {} : { [ASK]: ask }) };
  return { edu_type: type, content };
}
