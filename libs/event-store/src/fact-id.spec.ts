import { describe, expect, it } from 'vitest';
import { factId } from './fact-id.js';

describe('factId', () => {
  it('is the UUIDv5 of the name, as any other implementation computes it', () => {
    // Computed with Python's uuid.uuid5.
    expect(factId('$event:example.org')).toBe('3a942df0-c6f3-52b7-b9c4-73516e2d784b');
    expect(factId('pdu-accepted grüße 🦊')).toBe('11b54b98-e7f8-59a8-bdf6-8e0546ca7eaf');
  });

  it('gives each name its own id', () => {
    const ids = new Set(Array.from({ length: 1_000 }, (_, index) => factId(`DEVICE ${index}`)));
    expect(ids.size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
