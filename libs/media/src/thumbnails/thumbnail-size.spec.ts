import { describe, expect, it } from 'vitest';
import { nameOf, readWanted, roundUp } from './thumbnail-size.js';

const rounded = (width: number, height: number, method: 'crop' | 'scale'): [number, number] => {
  const { width: across, height: down } = roundUp({ width, height, method, animated: false });
  return [across, down];
};

describe('the thumbnail that is asked for', () => {
  it('is scaled into the smallest box that is as wide and as high', () => {
    expect(rounded(320, 240, 'scale')).toEqual([320, 240]);
    expect(rounded(1, 1, 'scale')).toEqual([320, 240]);
    expect(rounded(321, 10, 'scale')).toEqual([640, 480]);
    expect(rounded(10, 601, 'scale')).toEqual([1600, 1200]);
    expect(rounded(800, 600, 'scale')).toEqual([800, 600]);
    expect(rounded(3201, 1, 'scale')).toEqual([65_535, 65_535]);
  });

  it('is cropped to the nearest shape, as wide and as high', () => {
    expect(rounded(32, 32, 'crop')).toEqual([32, 32]);
    expect(rounded(96, 96, 'crop')).toEqual([96, 96]);
    expect(rounded(97, 97, 'crop')).toEqual([192, 192]);
    expect(rounded(640, 360, 'crop')).toEqual([640, 360]);
    expect(rounded(360, 640, 'crop')).toEqual([360, 640]);
    expect(rounded(30, 10, 'crop')).toEqual([32, 11]);
    expect(rounded(10_000, 10_000, 'crop')).toEqual([65_535, 65_535]);
  });

  it('is one of few, whatever is asked for, and no smaller than a pixel of it', () => {
    const names = new Set<string>();
    for (let width = 1; width < 4000; width += 43) {
      for (let height = 1; height < 4000; height += 47) {
        for (const method of ['crop', 'scale'] as const) {
          const size = roundUp({ width, height, method, animated: false });
          names.add(nameOf(size));
          if (method === 'scale') expect(size.width >= width && size.height >= height).toBe(true);
        }
      }
    }
    expect(names.size).toBeLessThan(75);
  });

  it('is said by the query, how large in any case but in that of 2015', () => {
    expect(readWanted({ width: '64', height: '48' })).toEqual({
      width: 64,
      height: 48,
      method: 'scale',
      animated: false,
    });
    expect(readWanted({ width: '64', height: '64', method: 'crop', animated: 'true' })).toMatchObject({
      method: 'crop',
      animated: true,
    });
    expect(readWanted({}, true)).toMatchObject({ width: 800, height: 600 });
    expect(() => readWanted({ width: '64' })).toThrow('height: required');
    for (const bad of ['0', '-1', '1.5', 'x', '1e3']) {
      expect(() => readWanted({ width: bad, height: '1' })).toThrow('width: not an integer in range');
    }
    expect(() => readWanted({ width: '1', height: '1', method: 'stretch' })).toThrow('not one of crop, scale');
  });
});
