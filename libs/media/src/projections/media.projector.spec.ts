import { describe, expect, it } from 'vitest';
import { project, type StreamFact } from '#testing/project';
import { LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { mediaProjector } from './media.projector.js';

const ALICE = '@alice:a.example';
const HASH = 'a'.repeat(64);
const CONTENT = { sha256: HASH, bytes: 4, about: { type: 'image/png', name: 'rock.png', salt: 's' } };
const MS_PER_DAY = 86_400_000;

const ours = (type: string, data: object = {}, at?: number): StreamFact => ({
  stream: 'media-a.example/abc',
  type,
  data,
  at,
});
const theirs = (type: string, data: object = {}, at?: number): StreamFact => ({
  stream: 'media-b.example:8448/xyz',
  type,
  data,
  at,
});
const uploaded = ours('media-uploaded', { by: ALICE, ...CONTENT }, 5);

describe('the rows of media', () => {
  it('say what somebody here uploaded, what its content is, and what counts for them', async () => {
    expect(await project(mediaProjector(createRoomFactReader()), [uploaded])).toEqual({
      'media a.example abc': {
        at: 5,
        by: ALICE,
        sha256: HASH,
        bytes: 4,
        type: 'image/png',
        name: 'rock.png',
        seen: 5,
      },
      [`media-content ${HASH} a.example abc`]: '',
      [`user-media ${ALICE} abc`]: '4',
      [`media-use ${ALICE}`]: { media: 1, bytes: 4 },
    });
  });

  it('count what each user has uploaded, less what is deleted', async () => {
    const ten = { by: ALICE, ...CONTENT, bytes: 10 };
    const second = { ...uploaded, stream: 'media-a.example/def', data: ten };
    const third = { ...second, stream: 'media-a.example/ghi', data: { ...ten, by: '@bob:a.example' } };
    const rows = await project(mediaProjector(createRoomFactReader()), [
      uploaded,
      second,
      second,
      third,
      ours('media-deleted', { sha256: HASH }),
      uploaded,
    ]);
    expect([rows[`media-use ${ALICE}`], rows['media-use @bob:a.example']]).toEqual([
      { media: 1, bytes: 10 },
      { media: 1, bytes: 10 },
    ]);
  });

  it('say what somebody is to upload, until they have', async () => {
    const reserved = ours('media-reserved', { by: ALICE, expires_at: 9 }, 1);
    expect(await project(mediaProjector(createRoomFactReader()), [reserved])).toEqual({
      'media a.example abc': { at: 1, by: ALICE, expires_at: 9 },
      [`reserved-media ${ALICE} abc`]: '9',
    });
    const both = await project(mediaProjector(createRoomFactReader()), [reserved, uploaded]);
    expect(Object.keys(both)).toEqual(Object.keys(await project(mediaProjector(createRoomFactReader()), [uploaded])));
    expect(await project(mediaProjector(createRoomFactReader()), [reserved, ours('media-expired')])).toEqual({});
  });

  it('say of what is deleted that it is, and nothing of what it was', async () => {
    expect(
      await project(mediaProjector(createRoomFactReader()), [uploaded, ours('media-deleted', { sha256: HASH }, 7)]),
    ).toEqual({
      'media a.example abc': { at: 7, by: ALICE, deleted: true },
    });
    const left = { ...uploaded, data: { by: ALICE, sha256: HASH, bytes: 4, about: {} } };
    const erased = [left, ours('media-deleted', { sha256: HASH }, 7), left];
    expect(await project(mediaProjector(createRoomFactReader()), erased)).toEqual({
      'media a.example abc': { at: 7, by: ALICE, deleted: true },
    });
  });

  it('stand in the order in which media of other servers were asked for last', async () => {
    const fetched = theirs('media-fetched', CONTENT, 3 * MS_PER_DAY + 7);
    expect(Object.keys(await project(mediaProjector(createRoomFactReader()), [fetched])).toSorted()).toEqual([
      'cached-media 000000259200007 b.example:8448 xyz',
      'media b.example:8448 xyz',
      `media-content ${HASH} b.example:8448 xyz`,
    ]);
    const cached = async (...facts: StreamFact[]): Promise<string[]> =>
      Object.keys(await project(mediaProjector(createRoomFactReader()), [fetched, ...facts])).filter((key) =>
        key.startsWith('cached-media'),
      );
    expect(await cached(theirs('media-seen', { day: 12 }, 12 * MS_PER_DAY + 1))).toEqual([
      'cached-media 000001036800001 b.example:8448 xyz',
    ]);
    // Said again later, it was on that day all the same.
    expect(await cached(theirs('media-seen', { day: 12 }, 40 * MS_PER_DAY))).toEqual([
      'cached-media 000001036800000 b.example:8448 xyz',
    ]);
  });

  it('are gone with what gives way to others, and there again once it is fetched again', async () => {
    const life = [theirs('media-fetched', CONTENT, 5), theirs('media-dropped', { sha256: HASH })];
    expect(await project(mediaProjector(createRoomFactReader()), life)).toEqual({});
    const again = await project(mediaProjector(createRoomFactReader()), [...life, theirs('media-fetched', CONTENT, 8)]);
    expect(again['media b.example:8448 xyz']).toMatchObject({ at: 8, sha256: HASH });
  });

  it('say which events show what was uploaded here, also where its upload is said again behind them; and nothing of other media', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.avatar', { url: 'mxc://a.example/abc' });
    await room.say('see mxc://b.example:8448/xyz');
    const events = log.facts.map(({ stream, type, data }): StreamFact => ({ stream, type, data: JSON.parse(data) }));
    const begun = { stream: 'server', type: 'log-begun', data: { log_id: 'log', server_name: 'a.example' } };
    const shown = async (...facts: StreamFact[]): Promise<string[]> =>
      Object.keys(await project(mediaProjector(createRoomFactReader()), facts)).filter((key) =>
        /^(shown|event)-media /.test(key),
      );
    const rows = await shown(begun, uploaded, ...events);
    expect(rows.map((key) => key.replaceAll(/ (?!a\.example|abc)\S+/g, ' …')).toSorted()).toEqual([
      'event-media … … a.example abc',
      'shown-media a.example abc … …',
    ]);
    expect(await shown(begun, ...events, uploaded)).toEqual(rows);
  });
});
