import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Typing } from '#ephemeral/typing/typing';
import { incarnationOf, runOf, type TypingMark } from '#ephemeral/typing/typing-mark';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { StreamToken } from './stream-token.js';

/** How many digits of a run are its own. */
const OWN_RUN = '000000';

/**
 * How often the log was put back to an earlier moment, and up to where each time it is as it was before. A token says in its
 * mark how often that had happened when it was made; what its position means is only sure up to there.
 */
@Injectable()
export class Restorations implements OnModuleInit {
  #agreed: readonly Position[] = [];

  constructor(
    @Inject(EVENT_STORE) private readonly store: Pick<EventStore, 'readStream'>,
    private readonly typing: Typing,
  ) {}

  async onModuleInit(): Promise<void> {
    this.#agreed = (await findLogIdentity(this.store))?.restored ?? [];
    this.typing.beginIncarnation(this.#agreed.length);
  }

  /** The mark of a token that is made now. */
  mark(hears: (roomId: RoomId) => boolean): TypingMark {
    return this.typing.mark(hears);
  }

  /**
   * The token as one of the log as it is now: of a log that has been put back since, it stands no further than where both
   * are the same, so that everything after that is told. Of a token without a run nothing is known, and it stays as it is.
   */
  rebase(token: StreamToken): StreamToken {
    const incarnation = incarnationOf(token.typing);
    if (incarnation === undefined || incarnation >= this.#agreed.length) return token;
    let { position } = token;
    for (const agreed of this.#agreed.slice(incarnation)) if (position > agreed) position = agreed;
    // A page that is read from it ends with a token of its own: that one is of the log as it is now.
    return { position, typing: { ...token.typing, run: runOf(this.#agreed.length, OWN_RUN) } };
  }
}
