import { expect, test } from 'vitest';
import { readNewPassword } from './read-new-password.js';

const formOf = (fields: Record<string, string>) => new Map(Object.entries(fields));

test('a new password is the one that was written twice, whatever else the form asks for', () => {
  const form = formOf({ password: 'of now', new_password: 'sesame', repeated: 'sesame' });
  expect(readNewPassword(form, 'new_password')).toBe('sesame');
});

test.each<Record<string, string>>([{ repeated: 'seasme' }, {}])('one that was not is refused: %j', (repeated) => {
  const read = (): string => readNewPassword(formOf({ password: 'sesame', ...repeated }), 'password');
  expect(read).toThrow(expect.objectContaining({ errcode: 'M_INVALID_PARAM' }));
});
