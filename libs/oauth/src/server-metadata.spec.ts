import { expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { serverMetadata } from './server-metadata.js';

it.each([
  ['open', ['create']],
  ['token', ['create']],
  ['closed', undefined],
])('tells applications whether people get an account here: registration %s', (registration, prompts) => {
  const metadata = serverMetadata(loadConfig({ ANNALS_REGISTRATION: registration }));
  expect((metadata as Record<string, unknown>)['prompt_values_supported']).toEqual(prompts);
});
