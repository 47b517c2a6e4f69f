import { Injectable } from '@nestjs/common';
import { asksForErasure } from '#accounts/facts/erasable-parts';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { ErasedMedia } from './erased-media.js';

/** Lets what somebody has uploaded go with their account, where they asked for that. */
@Injectable()
export class EraseMedia implements Effect {
  readonly name = 'erased-media';

  constructor(private readonly media: ErasedMedia) {}

  keyOf(fact: RecordedFact): string | undefined {
    return asksForErasure(fact) ? fact.stream : undefined;
  }

  run({ stream }: RecordedFact): Promise<boolean> {
    return this.media.delete(userIdOfStream(stream));
  }
}
