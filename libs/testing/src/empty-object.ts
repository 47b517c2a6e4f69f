import { expect } from 'vitest';

/** An object without anything in it, within what `toMatchObject` is given: there `{}` stands for an object with whatever in it. */
export function emptyObject(): unknown {
  return expect.toSatisfy(
    (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0,
    'is empty',
  );
}
