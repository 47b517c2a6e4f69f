import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { OpenSession } from '#http/open-session';
import { MatrixError } from '#kernel/matrix-error';
import type { Position } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import { ActiveUsers } from '../notifier/active-users.js';
import { AnswerSlots, LongPolls } from '../notifier/long-polls.js';
import { TO_DEVICE_TOKEN } from '../sliding/extensions/place-token.js';
import { type PlacedRequest, SlidingAnswers, type SlidingContents } from '../sliding/sliding-answers.js';
import { SlidingConnections } from '../sliding/sliding-connections.js';
import { formatPos, parsePos } from '../sliding/sliding-pos.js';
import type { SlidingRequest } from '../sliding/sliding-request.js';
import { WantedStates } from '../sliding/wanted-states.js';
import { StreamMoments } from '../streams/stream-moments.js';

/** An answer of sliding sync, in no shape yet. */
export interface SlidingAnswer extends Pick<SlidingContents, 'counts' | 'rooms' | 'extensions'> {
  readonly pos: string;
}

/**
 * What is new in the rooms that a client has in view, waiting for it where there is nothing: MSC4186. Throws M_UNKNOWN_POS (the client
 * is to begin anew), M_INVALID_PARAM (a token of an extension that is none), M_UNKNOWN_TOKEN (the session ended meanwhile).
 */
export class SlidingSync extends Query<SlidingAnswer> {
  constructor(
    readonly requester: Requester,
    readonly session: OpenSession,
    readonly request: SlidingRequest,
    /** Aborts when nobody waits for the answer any more. */
    readonly gone: AbortSignal,
  ) {
    super();
  }
}

/** A request, and the revision of what its client was told last: null where it was told nothing. */
interface Begun extends PlacedRequest {
  readonly revision: number | null;
  /** It is to be noted that the client came, whatever it is told. */
  readonly isNoteDue: boolean;
}

@QueryHandler(SlidingSync)
export class SlidingSyncHandler implements IQueryHandler<SlidingSync> {
  readonly #slots = new AnswerSlots();

  constructor(
    private readonly active: ActiveUsers,
    private readonly moments: StreamMoments,
    private readonly connections: SlidingConnections,
    private readonly answers: SlidingAnswers,
    private readonly polls: LongPolls,
    private readonly wanted: WantedStates,
  ) {}

  async execute({ requester, session, request, gone }: SlidingSync): Promise<SlidingAnswer> {
    const begun = await this.#begin(requester, this.wanted.share(request));
    const { user, interest } = await this.active.watch(requester.userId);
    // Sliding sync has no extension that tells of presence.
    interest.hearsPresence = false;
    try {
      const isIncremental = begun.since !== undefined;
      const timeout = isIncremental ? request.timeout : 0;
      const poll = { interest, session, timeout, gone, slots: this.#slots.of(isIncremental) };
      return await this.#noted(begun, await this.polls.answer(poll, () => this.answers.read(user, begun)));
    } finally {
      interest.close();
    }
  }

  async #begin(requester: Requester, request: SlidingRequest): Promise<Begun> {
    const { pos, connId } = request;
    const heard = await this.#settleHeard(request);
    const asked = { requester, request, heard };
    if (pos === undefined) return { ...asked, since: undefined, told: undefined, revision: null, isNoteDue: true };
    const { moment, revision } = parsePos(this.moments.history, { ...requester, connId }, pos);
    const told = await this.connections.find(requester, connId, revision);
    if (told === undefined) throw new MatrixError('M_UNKNOWN_POS');
    const since = await this.moments.settle(moment);
    return { ...asked, since, told, revision, isNoteDue: told.isNoteDue };
  }

  /** Which messages its device has is for the token of the extension to say: `pos` alone proves none. */
  async #settleHeard({ extensions }: SlidingRequest): Promise<Position | undefined> {
    const since = extensions.toDevice?.since;
    if (since === undefined) return undefined;
    return this.moments.settlePosition(TO_DEVICE_TOKEN.parse(this.moments.history, since));
  }

  /** Notes what the answer changes before it goes out: its client comes with it after a restart too. */
  async #noted({ requester, request, revision, isNoteDue }: Begun, contents: SlidingContents): Promise<SlidingAnswer> {
    const { connId } = request;
    const { change, until, counts, rooms, extensions, sent } = contents;
    const isToBeNoted = isNoteDue || change.rooms.size > 0 || change.extensions.size > 0;
    const at =
      isToBeNoted || revision === null ? await this.connections.note(requester, connId, revision, change) : revision;
    const key = { ...requester, connId };
    const pos = formatPos(this.moments.history, key, { moment: until, revision: at });
    sent(pos);
    return { pos, counts, rooms, extensions };
  }
}
