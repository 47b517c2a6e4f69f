import { describe, expect, it } from 'vitest';
import { compileSyncFilter } from './sync-filter.js';

describe('compileSyncFilter', () => {
  it('has a limit of 10 events, takes another, and bounds it', () => {
    expect(compileSyncFilter({}).timelineLimit).toBe(10);
    expect(compileSyncFilter({ room: { timeline: { limit: 0 } } }).timelineLimit).toBe(0);
    expect(compileSyncFilter({ room: { timeline: { limit: 1e9 } } }).timelineLimit).toBe(1000);
  });
});
