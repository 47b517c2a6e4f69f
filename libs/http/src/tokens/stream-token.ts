import type { LogHistory, SettledPlace } from '#event-store/log-history';
import { MatrixError } from '#kernel/matrix-error';
import { comparePlaces, type Place, type Position, START } from '#kernel/position';
import type { Places } from '../pagination.js';
import { findPresenceMark, formatPresenceMark, type PresenceMark } from './presence-mark.js';
import { findTypingMark, formatTypingMark, NO_TYPING, type TypingMark } from './typing-mark.js';

/**
 * A moment in all that a user hears of: everything up to and including a position of the log, and typing notifications and presence
 * up to marks of this run of the server or of an earlier one.
 */
export interface StreamMoment {
  readonly position: Position;
  readonly typing: TypingMark;
  /** Undefined: no presence was told. */
  readonly presence?: PresenceMark;
  /** Messages to the device were told up to here only, for there were too many; undefined: up to the position. */
  readonly inbox?: Position;
}

/** A place in the event stream: a moment, or just before an event, where a page ended that was read backwards. */
export interface StreamPlace {
  readonly place: Place;
  readonly typing: TypingMark;
  readonly presence?: PresenceMark;
}

/** A place that a client came with. */
export type StreamToken = StreamPlace & SettledPlace & Pick<StreamMoment, 'inbox'>;

/** Before the first event. */
export const BEGINNING: StreamPlace = Object.freeze({ place: START, typing: NO_TYPING });

/**
 * `s<place>_<typing>`, where presence was told `_p<presence>`, and where messages to the device were told up to an earlier place only
 * `_<place>`. What stands behind it in the `pos` of sliding sync says nothing of the place: "a pos token can be used in /messages and
 * /relations APIs, in the same way".
 */
const STREAM_TOKEN =
  /^s([0-9a-f-]{1,30})(?:_([0-9a-z.]{1,300})(?:_p([0-9a-f.]{1,30}))?(?:_([0-9a-f-]{1,30}))?)?(?:~\d{1,15}~[0-9A-Za-z_-]{1,64})?$/;

/** A place of the event stream as clients hold it. */
export function formatStreamPlace(history: LogHistory, { place, typing, presence }: StreamPlace): string {
  const text = `s${history.format(place)}_${formatTypingMark(typing)}`;
  return presence === undefined ? text : `${text}_p${formatPresenceMark(presence)}`;
}

/** A moment as clients hold it. */
export function formatStreamMoment(history: LogHistory, { position, inbox, ...marks }: StreamMoment): string {
  const text = formatStreamPlace(history, { place: position, ...marks });
  return inbox === undefined ? text : `${text}_${history.format(inbox)}`;
}

/** Reads what `formatStreamPlace` wrote; undefined for anything else. A token without a mark has heard no typing. */
export function findStreamToken(history: LogHistory, text: string): StreamToken | undefined {
  const [, placed = '', mark, presenceMark, told] = STREAM_TOKEN.exec(text) ?? [];
  const settled = history.find(placed);
  const typing = mark === undefined ? NO_TYPING : findTypingMark(mark);
  const presence = presenceMark === undefined ? undefined : findPresenceMark(presenceMark);
  if (settled === undefined || typing === undefined) return undefined;
  if (presenceMark !== undefined && presence === undefined) return undefined;
  const marks = { typing, ...(presence === undefined ? {} : { presence }) };
  if (told === undefined) return { ...settled, ...marks };
  const [place, inbox] = [settled.place, history.find(told)?.place];
  if (typeof place !== 'string' || typeof inbox !== 'string' || inbox > place) return undefined;
  return { ...settled, ...marks, inbox };
}

/** A moment that a client came with. */
export interface SettledMoment extends StreamMoment {
  /** As of `SettledPlace`. */
  readonly isLost: boolean;
}

/** Reads what `formatStreamMoment` wrote. Throws M_INVALID_PARAM, naming the parameter. */
export function parseStreamMoment(history: LogHistory, text: string, parameter: string): SettledMoment {
  const token = findStreamToken(history, text);
  if (token === undefined || typeof token.place !== 'string')
    throw new MatrixError('M_INVALID_PARAM', `${parameter}: not a token of this server`);
  const { place: position, ...rest } = token;
  return { position, ...rest };
}

/** The moment of a place, for all that is no event: to that, just before an event and just after it are the same. */
export function momentOf({ place, typing, presence }: StreamPlace): StreamMoment {
  const position = typeof place === 'string' ? place : place.before;
  return { position, typing, ...(presence === undefined ? {} : { presence }) };
}

/** The place of a moment. */
export function placeOf({ position, typing, presence }: StreamMoment): StreamPlace {
  return { place: position, typing, ...(presence === undefined ? {} : { presence }) };
}

/** The order of places in the event stream. */
export function compareStreamPlaces(a: StreamPlace, b: StreamPlace): number {
  const place = comparePlaces(a.place, b.place);
  if (place !== 0 || a.typing.run !== b.typing.run) return place;
  const presenceOf = ({ presence }: StreamPlace): number => presence?.sequence ?? 0;
  return a.typing.sequence - b.typing.sequence || presenceOf(a) - presenceOf(b);
}

/** A list that is in the order of the log, such as that of a room's members by their last changes, and the tokens of its pages. */
export function placesInLog(history: LogHistory): Places<SettledPlace> {
  return {
    find: (text) => findStreamToken(history, text),
    compare: (a, b) => comparePlaces(a.place, b.place),
    isLost: ({ isLost }) => isLost,
  };
}
