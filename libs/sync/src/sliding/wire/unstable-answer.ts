import type { SlidingAnswer } from '../../queries/sliding-sync.js';
import type { RoomUpdate } from '../room-update.js';
import { renderAnswer, renderRoom, summaryOf } from './render-answer.js';

/** An answer in the shape that was tried out (`org.matrix.simplified_msc3575`), as clients of today read it. JSON text. */
export function renderUnstableAnswer(answer: SlidingAnswer, txnId: string | undefined): string {
  return renderAnswer(answer, answer.rooms.map(renderUpdate), { txn_id: txnId });
}

function renderUpdate(update: RoomUpdate): string {
  const { bumpStamp, isDirect, isDirectNew, contents, stripped } = update;
  const timeline = contents?.timeline;
  const isFirst = contents === undefined ? stripped !== undefined : contents.initial;
  const fields = {
    bump_stamp: bumpStamp,
    initial: isFirst || undefined,
    is_dm: isDirectNew || (isFirst && isDirect) ? isDirect : undefined,
    // A name that is gone was not told in this shape; of an avatar null says it.
    name: contents?.name ?? undefined,
    avatar: contents?.initial === true ? (contents.avatar ?? undefined) : contents?.avatar,
    ...(contents === undefined ? {} : summaryOf(contents)),
    notification_count: contents?.unread?.notifications,
    highlight_count: contents?.unread?.highlights,
    limited: timeline?.limited,
    unstable_expanded_timeline: timeline?.isExpanded === true || undefined,
    prev_batch: timeline?.prevBatch,
    num_live: timeline?.live,
  };
  return renderRoom(update, fields, {
    required_state: contents?.state,
    timeline: timeline?.events,
    invite_state: stripped,
  });
}
