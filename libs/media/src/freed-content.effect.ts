import { Injectable } from '@nestjs/common';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { letsGo, type MediaDeleted, tailLeft } from './facts/media-facts.js';
import { KeptContent } from './kept-content.js';
import { MediaLog } from './media-log.js';

/** Once a medium lets go of its content: what was said of it goes from the log, and the content where no other medium has it. */
@Injectable()
export class FreedContent implements Effect {
  readonly name = 'freed-content';
  readonly fromStart = true;

  constructor(
    private readonly log: MediaLog,
    private readonly kept: KeptContent,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return letsGo(type) ? stream : undefined;
  }

  async run({ stream, revision, data }: RecordedFact): Promise<boolean> {
    const isErased = await this.log.erase(stream, revision, tailLeft);
    const { sha256 } = JSON.parse(data) as MediaDeleted; // one that is dropped says no less
    return (sha256 !== undefined && (await this.kept.free(sha256))) || isErased;
  }
}
