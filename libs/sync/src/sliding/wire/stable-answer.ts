import type { SlidingAnswer } from '../../queries/sliding-sync.js';
import type { RoomUpdate } from '../room-update.js';
import { renderAnswer, renderRoom, summaryOf } from './render-answer.js';

/** An answer in the shape of MSC4186. JSON text. */
export function renderStableAnswer(answer: SlidingAnswer): string {
  return renderAnswer(answer, answer.rooms.map(renderUpdate));
}

function renderUpdate(update: RoomUpdate): string {
  const { bumpStamp, membership, lists, isDirect, isDirectNew, contents, stripped } = update;
  const timeline = contents?.timeline;
  const isFirst = contents === undefined ? stripped !== undefined : contents.initial;
  // "When initial is set to true then an omitted field means that the field is not set", else that it is as it was.
  const told = (value: string | null | undefined): string | null | undefined =>
    isFirst ? (value ?? undefined) : value;
  const fields = {
    bump_stamp: bumpStamp,
    membership,
    lists: lists.length === 0 ? undefined : lists,
    initial: isFirst || undefined,
    is_dm: isDirectNew || (isFirst && isDirect) ? isDirect : undefined,
    name: told(contents?.name),
    avatar: told(contents?.avatar),
    ...(contents === undefined ? {} : summaryOf(contents)),
    limited: timeline?.limited,
    expanded_timeline: timeline?.isExpanded === true || undefined,
    prev_batch: timeline?.prevBatch,
    num_live: timeline?.live,
  };
  const gone = (contents?.gone ?? []).map((stub) => JSON.stringify(stub));
  return renderRoom(update, fields, {
    required_state: contents?.state && [...contents.state, ...gone],
    timeline: timeline?.events,
    stripped_state: stripped,
  });
}
