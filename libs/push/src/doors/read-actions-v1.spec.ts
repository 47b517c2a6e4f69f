import { expect, it } from 'vitest';
import { readActionsV1 } from './read-actions-v1.js';

it('takes the actions of 2015 as its text and its examples spell them', () => {
  expect(readActionsV1(['dont-notify'])).toEqual(['dont_notify']);
  expect(readActionsV1(['notify', { set_sound: 'cakealarm.wav' }])).toEqual([
    'notify',
    { set_tweak: 'sound', value: 'cakealarm.wav' },
  ]);
});

it('has what coalesces notify, which is what it means to who knows no better', () => {
  expect(readActionsV1(['coalesce'])).toEqual(['coalesce', 'notify']);
  expect(readActionsV1(['notify', 'coalesce'])).toEqual(['notify', 'coalesce']);
});

it('leaves all others as they are, to be judged as today', () => {
  const others = ['notify', 'dont_notify', 'other', { set_tweak: 'highlight' }, { set_sound: 5 }];
  expect(readActionsV1(others)).toEqual(others);
});
