import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Cause } from '#event-store/aggregates';
import { decideDelete } from '../decide/media.js';
import type { MediaRef } from '../media-id.js';
import { MediaLog } from '../media-log.js';

/**
 * Deletes a medium for good, one of another server too, which is then never fetched again. That its content goes, where no other medium has
 * it, and what was said of it, follows from the fact. Answers whether it was there to delete.
 */
export class DeleteMedia {
  constructor(
    readonly cause: Cause,
    readonly media: MediaRef,
  ) {}
}

@CommandHandler(DeleteMedia)
export class DeleteMediaHandler implements ICommandHandler<DeleteMedia> {
  constructor(private readonly log: MediaLog) {}

  execute({ cause, media }: DeleteMedia): Promise<boolean> {
    return this.log.change(media, decideDelete, cause);
  }
}
