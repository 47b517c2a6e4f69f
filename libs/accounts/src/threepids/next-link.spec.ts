import { expect, it } from 'vitest';
import { nextLinkOf } from './next-link.js';

it.each([
  ['https://app.example', 'https://app.example?sid=a-b_c'],
  ['https://app.example/?a=b', 'https://app.example/?a=b&sid=a-b_c'],
  // In the fragment: where an application in a browser reads it.
  ['https://app.example/#/register?session_id=1', 'https://app.example/#/register?session_id=1&sid=a-b_c'],
  ['https://app.example/#/done', 'https://app.example/#/done?sid=a-b_c'],
])('%s goes on by %s', (link, next) => expect(nextLinkOf(link, 'a-b_c')).toBe(next));
