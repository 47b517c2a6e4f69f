import { describe, expect, it } from 'vitest';
import type { FactDraft } from '#event-store/seal-facts';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { ContentHash } from '../store/media-store.js';
import {
  checkMayFill,
  contentOf,
  decideDelete,
  decideDrop,
  decideFree,
  decideKeep,
  decideUnshown,
  decideExpire,
  decideFetched,
  decideReserve,
  decideSeen,
  evolveMedia,
  type Media,
  NO_MEDIA,
  uploadDraft,
} from './media.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:a.example' as UserId;
const HASH = 'a'.repeat(64) as ContentHash;
const CONTENT = { sha256: HASH, bytes: 4, about: { type: 'image/png', name: 'rock.png' } };

const after = (media: Media, drafts: readonly FactDraft[]): Media => drafts.reduce(evolveMedia, media);
const refusal = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof MatrixError) return error.errcode;
  }
  return 'none';
};

const reserved = after(NO_MEDIA, decideReserve(NO_MEDIA, false, { by: ALICE, expires_at: 100 }));
const filled = after(reserved, [uploadDraft(CONTENT, ALICE)]);

describe('a medium that was reserved', () => {
  it('is filled by who reserved it, until it expires', () => {
    expect(refusal(() => checkMayFill(reserved, ALICE, 99))).toBe('none');
    expect(refusal(() => checkMayFill(reserved, ALICE, 100))).toBe('M_NOT_FOUND');
    expect(refusal(() => checkMayFill(reserved, BOB, 99))).toBe('M_FORBIDDEN');
    expect(refusal(() => checkMayFill(NO_MEDIA, ALICE, 99))).toBe('M_NOT_FOUND');
  });

  it('is filled once', () => {
    expect(contentOf(filled)).toBe(HASH);
    expect(refusal(() => checkMayFill(filled, ALICE, 99))).toBe('M_CANNOT_OVERWRITE_MEDIA');
    expect(refusal(() => checkMayFill(filled, ALICE, 101))).toBe('M_CANNOT_OVERWRITE_MEDIA');
    expect(refusal(() => checkMayFill(filled, BOB, 99))).toBe('M_FORBIDDEN');
  });

  it('ends by itself only where nobody filled it in time', () => {
    expect(decideExpire(reserved, 99)).toEqual([]);
    const expired = after(reserved, decideExpire(reserved, 100));
    expect(refusal(() => checkMayFill(expired, ALICE, 99))).toBe('M_NOT_FOUND');
    expect(decideExpire(expired, 200)).toEqual([]);
    expect(decideExpire(filled, 200)).toEqual([]);
  });

  it('has an id that nobody had before', () => {
    expect(refusal(() => decideReserve(filled, true, { by: ALICE, expires_at: 100 }))).toBe('M_INVALID_PARAM');
  });
});

describe('a medium', () => {
  it('lets go of its content where it is deleted, and is never anything again', () => {
    const [draft] = decideDelete(filled);
    expect(JSON.parse(draft!.data)).toEqual({ sha256: HASH });
    const deleted = after(filled, [draft!]);
    expect(contentOf(deleted)).toBeUndefined();
    expect(decideDelete(deleted)).toEqual([]);
    expect(refusal(() => checkMayFill(deleted, ALICE, 1))).toBe('M_NOT_FOUND');
    expect(refusal(() => decideFetched(deleted, CONTENT))).toBe('M_NOT_FOUND');
    // What still counts of a stream is said again one day, in another order.
    expect(contentOf(after(deleted, [uploadDraft(CONTENT, ALICE)]))).toBeUndefined();
  });

  it('is to go once an event of its uploader that showed it is redacted, unless it is kept; of nobody else, and not twice', () => {
    const unshown = after(filled, decideUnshown(filled, ALICE));
    expect([unshown.isUnshown, decideUnshown(unshown, ALICE), decideUnshown(filled, '@bob:a.example')]).toEqual([
      true,
      [],
      [],
    ]);
    expect(decideUnshown(reserved, ALICE)).toEqual([]);
    const kept = after(unshown, decideKeep(unshown));
    expect([kept.isUnshown, decideKeep(kept), decideUnshown(kept, ALICE).length]).toEqual([false, [], 1]);
    expect(decideKeep(after(unshown, decideDelete(unshown)))).toEqual([]);
    // Who frees it may have begun before it was kept.
    expect([decideFree(unshown).length, decideFree(kept)]).toEqual([1, []]);
  });

  it('of another server is here until it gives way to others', () => {
    const fetched = after(NO_MEDIA, decideFetched(NO_MEDIA, CONTENT));
    expect(decideFetched(fetched, CONTENT)).toEqual([]);
    const dropped = after(fetched, decideDrop(fetched));
    expect(contentOf(dropped)).toBeUndefined();
    expect(decideDrop(dropped)).toEqual([]);
    expect(decideFetched(dropped, CONTENT)).toHaveLength(1);
  });

  it('is noted as seen once a day, where it is here', () => {
    const seen = after(filled, decideSeen(filled, 5));
    expect(decideSeen(seen, 5)).toEqual([]);
    expect(decideSeen(seen, 4)).toEqual([]);
    expect(decideSeen(seen, 6)).toHaveLength(1);
    expect(decideSeen(reserved, 5)).toEqual([]);
  });

  it('says of its content what may be erased at its end, behind a salt', () => {
    const { data, erasable } = uploadDraft(CONTENT, ALICE);
    expect(JSON.parse(data)).toMatchObject({ by: ALICE, ...CONTENT, about: { salt: expect.any(String) } });
    expect(JSON.parse(`${data.slice(0, erasable)}{}}`)).toEqual({ by: ALICE, sha256: HASH, bytes: 4, about: {} });
    expect(uploadDraft(CONTENT, ALICE).data).not.toBe(data);
  });
});
