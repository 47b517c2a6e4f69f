import { expect, it } from 'vitest';
import { Outage } from './outage.js';

it('says once that the server is lost, and once that it answers in every way again', () => {
  const said: string[] = [];
  const outage = new Outage<'append' | 'read'>({
    onLost: (reason) => said.push(reason),
    onBack: () => said.push('back'),
  });
  outage.noteSuccess('append');
  outage.noteLoss('read', 'silent');
  outage.noteSuccess('append');
  outage.noteLoss('append', 'refused');
  outage.noteLoss('read', 'silent');
  expect([outage.isLost('read'), outage.isLost('append')]).toEqual([true, true]);
  outage.noteSuccess('append');
  expect(said).toEqual(['silent']);
  expect(outage.reason).toBe('silent');
  outage.noteSuccess('read');
  expect(outage.reason).toBeUndefined();
  outage.noteLoss('append', 'again');
  expect(said).toEqual(['silent', 'back', 'again']);
});
