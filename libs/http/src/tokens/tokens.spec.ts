import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Place } from '#kernel/position';
import { positionOf } from '#testing/position-of';
import { planPage } from '../pagination.js';
import { eventStreamPlaces, parseEventStreamPlace } from './event-stream-places.js';
import {
  findStreamToken,
  formatStreamMoment,
  formatStreamPlace,
  momentOf,
  parseStreamMoment,
  placesInLog,
} from './stream-token.js';
import { formatThreadsToken, parseThreadsToken } from './threads-token.js';
import { findTimelineToken, formatTimelinePlace } from './timeline-token.js';
import { NO_TYPING, type TypingMark, typingHashOf } from './typing-mark.js';

const RESTORED = new LogHistory([{ name: '0123abcd', agreed: positionOf(100) }]);
const HISTORIES = [LogHistory.UNBROKEN, RESTORED];

const hash = fc.string().map((roomId) => typingHashOf(roomId as RoomId));
const typing: fc.Arbitrary<TypingMark> = fc.oneof(
  fc.constant(NO_TYPING),
  fc.record({
    run: hash,
    sequence: fc.maxSafeNat().map((n) => n % 1e15),
    rooms: fc.oneof(fc.constant('all' as const), fc.array(hash, { maxLength: 32 })),
  }),
);
const position = fc.maxSafeNat().map(positionOf);
const place: fc.Arbitrary<Place> = fc.oneof(
  position,
  position.map((before) => ({ before })),
);
const history = fc.constantFrom(...HISTORIES);

/** Texts that are tokens, nearly tokens, or anything. */
const text = fc.oneof(
  fc.string(),
  fc.stringMatching(/^[sthrbSTART0-9a-f_.-]{0,40}$/),
  fc.stringMatching(/^[sth](\d{1,17}_)?b?\d{1,20}(-[0-9a-f]{7,9})?(_[0-9a-z.]{1,40})?$/),
);

/** Every way in which a text of a client becomes a token. */
const READERS: Record<string, (of: LogHistory, token: string) => unknown> = {
  'of /sync': (of, token) => parseStreamMoment(of, token, 'since'),
  'of the event stream': (of, token) => parseEventStreamPlace(of, token, 'from'),
  'of the event stream by pages': (of, from) => planPage(parameters({ from }), eventStreamPlaces(of)),
  'of a list by pages': (of, from) => planPage(parameters({ from }), placesInLog(of)),
  'of threads': (of, token) => parseThreadsToken(of, token),
};

function parameters(given: { from?: string; to?: string; dir?: 'b' | 'f' }): Parameters<typeof planPage>[0] {
  return { from: undefined, to: undefined, dir: undefined, limit: undefined, ...given };
}

describe('tokens', () => {
  it('read back what they were, and need no escaping', () => {
    fc.assert(
      fc.property(history, place, position, typing, fc.nat(), (of, at, moment, mark, depth) => {
        const stream = formatStreamPlace(of, { place: at, typing: mark });
        expect(findStreamToken(of, stream)).toEqual({ place: at, typing: mark, isLost: false });
        expect(parseEventStreamPlace(of, stream, 'from')).toEqual({ place: at, typing: mark, isLost: false });
        const sync = formatStreamMoment(of, { position: moment, typing: mark });
        expect(parseStreamMoment(of, sync, 'since')).toEqual({ position: moment, typing: mark, isLost: false });
        const told = { position: moment, typing: mark, presence: { run: '01abcdef', sequence: 12 } };
        expect(parseStreamMoment(of, formatStreamMoment(of, told), 'since')).toEqual({ ...told, isLost: false });
        const both = { ...told, inbox: positionOf(0) };
        expect(parseStreamMoment(of, formatStreamMoment(of, both), 'since')).toEqual({ ...both, isLost: false });
        const cut = { position: moment, typing: mark, inbox: positionOf(0) };
        const ofCut = formatStreamMoment(of, cut);
        expect(parseStreamMoment(of, ofCut, 'since')).toEqual({ ...cut, isLost: false });
        const timeline = formatTimelinePlace(of, { depth, place: at });
        expect(findTimelineToken(of, timeline)).toEqual({ depth, place: at, isLost: false });
        expect(parseEventStreamPlace(of, timeline, 'from')).toEqual({ place: at, typing: NO_TYPING, isLost: false });
        const before = { place: { before: moment } };
        const threads = formatThreadsToken(of, before);
        expect(parseThreadsToken(of, threads)).toEqual({ ...before, isLost: false });
        const past = { ...before, depth: 7 };
        expect(parseThreadsToken(of, formatThreadsToken(of, past))).toEqual({ ...past, isLost: false });
        for (const token of [stream, sync, ofCut, timeline, threads]) expect(encodeURIComponent(token)).toBe(token);
      }),
    );
  });

  it.each(Object.entries(READERS))('%s are what this server wrote, or refused by the standard error', (_, read) => {
    fc.assert(
      fc.property(history, text, (of, token) => {
        try {
          expect(read(of, token)).toBeTypeOf('object');
        } catch (error) {
          expect(error).toBeInstanceOf(MatrixError);
          expect((error as MatrixError).errcode).toMatch(/^M_(INVALID_PARAM|BAD_PAGINATION)$/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('that are read are written as they came, but for leading zeros and what they leave out', () => {
    fc.assert(
      fc.property(text, (token) => {
        const of = LogHistory.UNBROKEN;
        const stream = findStreamToken(of, token);
        if (stream !== undefined && !stream.isLost) {
          const { inbox, ...before } = stream;
          expect(findStreamToken(of, formatStreamPlace(of, before))).toEqual(before);
          if (inbox !== undefined && typeof before.place === 'string') {
            const moment = { ...momentOf(before), inbox };
            expect(findStreamToken(of, formatStreamMoment(of, moment))).toEqual(stream);
          }
        }
        const timeline = findTimelineToken(of, token);
        if (timeline !== undefined && !timeline.isLost) {
          expect(findTimelineToken(of, formatTimelinePlace(of, timeline))).toEqual(timeline);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('refuse what this server never wrote', () => {
    for (const refused of [
      '',
      's',
      's1_',
      's-1_2',
      's1_2_3',
      's1_0_2',
      's1_0_b1',
      's1_0_p',
      's1_0_p1',
      's1_0_pabcdef01',
      's1_0_pabcdef01.',
      's1_0_1_pabcdef01.1',
      's1_2',
      's1_abcdef01',
      's1_abcdef01.',
      's1_abcdef01.5.',
      's1_abcdef01.5.abc',
      's1_abcdef01.5.any',
      's1 ',
      's1-abc_0',
      's1-0123abcd',
      's9223372036854775808_0',
      's00000000000000000001_0',
      't1',
      't_1',
      'tb1_1',
      't1_1_0',
      't12345678901234567_1',
    ]) {
      const isToken = refused === 's1-0123abcd';
      expect(findStreamToken(RESTORED, refused) === undefined, refused).toBe(!isToken);
      expect(findTimelineToken(RESTORED, refused), refused).toBeUndefined();
    }
    expect(() => parseStreamMoment(RESTORED, 'sb1_0', 'since')).toThrow('since');
    expect(() => parseThreadsToken(RESTORED, 's1')).toThrow('from');
  });
});

describe('tokens of what a restored log has lost', () => {
  const at = (n: number, of = LogHistory.UNBROKEN): string =>
    formatStreamMoment(of, { position: positionOf(n), typing: NO_TYPING });
  const lost = at(150);

  it('stand where both histories end, of whatever kind they are', () => {
    const agreed = { place: positionOf(100), isLost: true };
    const before = { before: positionOf(150) };
    expect(parseStreamMoment(RESTORED, lost, 'since')).toMatchObject({ position: positionOf(100), isLost: true });
    expect(parseEventStreamPlace(RESTORED, lost, 'from')).toMatchObject(agreed);
    const timeline = formatTimelinePlace(LogHistory.UNBROKEN, { depth: 7, place: before });
    expect(findTimelineToken(RESTORED, timeline)).toMatchObject(agreed);
    expect(
      parseThreadsToken(RESTORED, formatThreadsToken(LogHistory.UNBROKEN, { place: { before: positionOf(150) } })),
    ).toEqual(agreed);
  });

  it('leave nothing out of a page that ends there, or begins', () => {
    const places = placesInLog(RESTORED);
    const plan = (from?: string, to?: string, dir?: 'b' | 'f'): unknown => {
      const { direction, from: begin, to: end } = planPage(parameters({ from, to, dir }), places);
      return [direction, ...[begin, end].map((bound) => (typeof bound === 'string' ? bound : bound.place))];
    };
    const agreed = positionOf(100);
    expect(plan(lost)).toEqual(['f', agreed, 'END']);
    expect(plan(lost, 'START')).toEqual(['b', 'END', 'START']);
    expect(plan(undefined, lost)).toEqual(['f', 'START', 'END']);
    expect(plan('END', lost)).toEqual(['b', 'END', agreed]);
    expect(plan(at(120, RESTORED), lost)).toEqual(['b', positionOf(120), agreed]);
    expect(plan(at(90), lost, 'f')).toEqual(['f', positionOf(90), 'END']);
  });
});
