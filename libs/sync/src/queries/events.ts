import { Inject } from '@nestjs/common';
import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import { compareStreamPlaces, momentOf, placeOf, type StreamMoment } from '#http/tokens/stream-token';
import type { RoomId } from '#kernel/ids';
import { VIEWS, type Views } from '#projections/views';
import { openRoom } from '#rooms/reading/open-room';
import { readerOf } from '#rooms/reading/reader';
import { type EventPageRequest, EventPages, isLive } from '../events/event-page.js';
import { ActiveUsers } from '../notifier/active-users.js';
import { LongPolls } from '../notifier/long-polls.js';
import { StreamMoments } from '../streams/stream-moments.js';

/**
 * A part of the event stream, waiting for events where it is asked for those to come: client-server API v1, "Receiving live
 * updates on a client". Answers JSON text. Throws M_FORBIDDEN (a room the requester may not read), M_UNKNOWN_TOKEN (the
 * session ended meanwhile).
 */
export class Events extends Query<string> {
  constructor(
    readonly request: EventPageRequest,
    readonly session: OpenSession,
    /** How long to wait for events, in milliseconds. */
    readonly timeout: number,
    /** Aborts when nobody waits for the answer any more. */
    readonly gone: AbortSignal,
  ) {
    super();
  }
}

@QueryHandler(Events)
export class EventsHandler implements IQueryHandler<Events> {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly active: ActiveUsers,
    private readonly moments: StreamMoments,
    private readonly pages: EventPages,
    private readonly polls: LongPolls,
  ) {}

  async execute({ request, session, timeout, gone }: Events): Promise<string> {
    const { requester, roomId } = request;
    const plan = await this.#settled(request.plan);
    if (roomId !== undefined) await openRoom(this.views, roomId, await readerOf(this.views, requester), 'events');
    const { user, interest } = await this.active.watch(requester.userId, roomId);
    const hears = (one: RoomId): boolean => (roomId === undefined ? user.isIn(one) : one === roomId);
    // "END" is now, not when there is something to tell.
    let fixed = plan.from === 'END' ? undefined : plan;
    try {
      const poll = { interest, session, timeout: isLive(plan) ? timeout : 0, gone };
      const page = await this.polls.answer(poll, async () => {
        const now = await this.moments.moment(latestOf(plan), hears, user);
        fixed ??= isLive(plan) ? { ...plan, from: placeOf(now) } : plan;
        const { json, count } = await this.pages.read(user, { ...request, plan: fixed }, now);
        return { json, isNews: count > 0 };
      });
      return page.json;
    } finally {
      interest.close();
    }
  }

  /** Each place no further than the log has got to. */
  async #settled(plan: EventPageRequest['plan']): Promise<EventPageRequest['plan']> {
    const settle = async (bound: typeof plan.from): Promise<typeof plan.from> => {
      if (typeof bound !== 'object') return bound;
      const token = momentOf(bound);
      const settled = await this.moments.settle(token);
      return settled.position === token.position ? bound : placeOf(settled);
    };
    return { ...plan, from: await settle(plan.from), to: await settle(plan.to) };
  }
}

/** The later of the tokens that were given. */
function latestOf({ from, to }: EventPageRequest['plan']): StreamMoment | undefined {
  const given = [from, to].filter((bound) => typeof bound === 'object');
  const latest = given.toSorted((a, b) => compareStreamPlaces(b, a))[0];
  return latest && momentOf(latest);
}
