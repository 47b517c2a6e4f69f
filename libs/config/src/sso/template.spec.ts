import { describe, expect, it } from 'vitest';
import { fillTemplate, parseTemplate } from './template.js';

const CLAIMS = {
  sub: 7,
  name: 'Alice',
  email: 'alice@example.org',
  address: { country: 'CH' },
  'https://example.org/nick': 'al',
  empty: '',
  list: ['a'],
};
const fill = (text: string): string | undefined => fillTemplate(parseTemplate(text)!, CLAIMS);

describe('a template', () => {
  it.each([
    ['{sub}', '7'],
    ['{name} of {address.country}', 'Alice of CH'],
    ['{email|before @}', 'alice'],
    ['{https://example.org/nick}', 'al'],
    ['always', 'always'],
    ['{nobody}', undefined],
    ['{name} {nobody}', undefined],
    ['{empty}', undefined],
    ['{list}', undefined],
    ['{constructor.name}', undefined],
    ['{address.country.more}', undefined],
  ])('makes of %s what is claimed', (text, made) => expect(fill(text)).toBe(made));

  it.each(['{', '}', '{}', '{a..b}', '{a|lower}', '{{a}}'])('cannot be %s', (text) =>
    expect(parseTemplate(text)).toBeUndefined(),
  );
});
