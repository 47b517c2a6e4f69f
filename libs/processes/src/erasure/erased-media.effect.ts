import { Injectable, Optional } from '@nestjs/common';
import { asksForErasure } from '#accounts/facts/erasable-parts';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import { MediaOfUser } from '#media/media-of-user';
import type { Effect, Stands } from '#projections/effects/effect';

/** Lets what somebody has uploaded go with their account, where they asked for that. */
@Injectable()
export class ErasedMedia implements Effect {
  readonly name = 'erased-media';

  constructor(@Optional() private readonly media?: MediaOfUser) {}

  keyOf(fact: RecordedFact): string | undefined {
    return asksForErasure(fact) ? fact.stream : undefined;
  }

  async run({ stream }: RecordedFact, stands: Stands): Promise<boolean> {
    return (await this.media?.delete(userIdOfStream(stream), stands)) ?? false;
  }
}
