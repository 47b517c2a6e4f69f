import { expect, test } from 'vitest';
import { MappingFaults } from '../yaml-mapping.js';
import { parseTerms } from './read-terms.js';

const TEXT = `
privacy_policy:
  version: "1.2"
  en: { name: Privacy, url: https://example.org/privacy }
  pt-BR: { name: Privacidade, url: https://example.org/privacidade }
`;

test('documents have a version, and a name and an address in each language', () => {
  expect(parseTerms(TEXT)).toEqual([
    {
      id: 'privacy_policy',
      version: '1.2',
      languages: {
        en: { name: 'Privacy', url: 'https://example.org/privacy' },
        'pt-BR': { name: 'Privacidade', url: 'https://example.org/privacidade' },
      },
    },
  ]);
});

test.each([
  ['version: "1.2"', 'version: 1.2', 'version'],
  ['https://example.org/privacy }', 'javascript:alert(1) }', 'privacy_policy.en.url'],
  ['  pt-BR:', '  portuguese!:', 'portuguese!'],
  ['name: Privacy,', 'name: Privacy, text: x,', 'privacy_policy.en.text'],
  ['privacy_policy:', 'Privacy Policy:', 'Privacy Policy'],
])('%s must not be %s', (right, wrong, key) => {
  const parse = () => parseTerms(TEXT.replace(right, wrong));
  expect(parse).toThrow(MappingFaults);
  expect(parse).toThrow(key);
});
