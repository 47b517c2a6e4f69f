import { describe, expect, it } from 'vitest';
import type { RoomVersion } from './room-version.js';
import { DEFAULT_ROOM_VERSION, findRoomVersion, ROOM_VERSIONS } from './room-versions.js';

const SPECIFIED = ROOM_VERSIONS.filter(({ stable }) => stable);

/** The versions of the specification, in order, for which a flag has a value. */
function versionsWith<K extends keyof RoomVersion>(flag: K, value: RoomVersion[K]): string {
  const ids = SPECIFIED.filter((version) => version[flag] === value).map((version) => Number(version.id));
  return `${ids[0]}-${ids.at(-1)}/${ids.length}`;
}

describe('the table of room versions', () => {
  it('has the twelve stable versions of the specification and answers each by its id', () => {
    expect(SPECIFIED.map((version) => version.id).join()).toBe('1,2,3,4,5,6,7,8,9,10,11,12');
    expect(ROOM_VERSIONS.every((version) => findRoomVersion(version.id) === version)).toBe(true);
    expect(findRoomVersion('13')).toBeUndefined();
    expect(findRoomVersion(DEFAULT_ROOM_VERSION)?.id).toBe('12');
  });

  it('has one of our own, which is the twelfth with state that can be deleted', () => {
    const own = ROOM_VERSIONS.filter((version) => !SPECIFIED.includes(version));
    const twelve = findRoomVersion('12')!;
    expect(own).toEqual([{ ...twelve, id: 'dev.annals.12.deletion', stable: false, stateDeletion: true }]);
    expect(SPECIFIED.some((version) => version.stateDeletion)).toBe(false);
  });

  it('is frozen', () => {
    expect(Object.isFrozen(ROOM_VERSIONS) && ROOM_VERSIONS.every((version) => Object.isFrozen(version))).toBe(true);
  });

  it('changes each rule in the version that the specification names', () => {
    expect(versionsWith('stateResolution', 'v2')).toBe('2-11/10');
    expect(versionsWith('eventIds', 'hash-base64')).toBe('3-3/1');
    expect(versionsWith('eventIds', 'hash-base64url')).toBe('4-12/9');
    expect(versionsWith('references', 'pairs')).toBe('1-2/2');
    expect(versionsWith('redactionAuthRule', true)).toBe('1-2/2');
    expect(versionsWith('enforceKeyValidity', true)).toBe('5-12/8');
    expect(versionsWith('strictCanonicalJson', true)).toBe('6-12/7');
    expect(versionsWith('aliasesAuthRule', true)).toBe('1-5/5');
    expect(versionsWith('limitNotificationsPowerLevels', true)).toBe('6-12/7');
    expect(versionsWith('knocking', true)).toBe('7-12/6');
    expect(versionsWith('restrictedJoins', true)).toBe('8-12/5');
    expect(versionsWith('integerPowerLevels', true)).toBe('10-12/3');
    expect(versionsWith('knockRestrictedJoins', true)).toBe('10-12/3');
    expect(versionsWith('creatorInContent', true)).toBe('1-10/10');
    expect(versionsWith('redactsInContent', true)).toBe('11-12/2');
    expect(versionsWith('roomIdIsCreateHash', true)).toBe('12-12/1');
    expect(versionsWith('privilegedCreators', true)).toBe('12-12/1');
    expect(versionsWith('stateResolution', 'v2.1')).toBe('12-12/1');
  });

  it('keeps other keys through a redaction from versions 6, 8, 9 and 11 on', () => {
    const families = SPECIFIED.map((version) => version.redaction).join();
    expect(families).toBe('v1,v1,v1,v1,v1,v6,v6,v8,v9,v9,v11,v11');
  });
});
