import { expect, it } from 'vitest';
import { readFileName } from './read-disposition.js';

it('reads what a file is called, in any of the forms that servers write', () => {
  expect(readFileName('inline; filename=rock.png')).toBe('rock.png');
  expect(readFileName('attachment; filename="the \\"rock\\".png"')).toBe('the "rock".png');
  expect(readFileName("inline; filename*=utf-8''M%C3%A4rz.png")).toBe('März.png');
  expect(readFileName('inline; filename="x"; filename*=UTF-8\'en\'%F0%9F%8E%89')).toBe('🎉');
  expect(readFileName("inline; filename*=utf-8''%ff; filename=plain")).toBe('plain');
  expect(readFileName("inline; filename*=latin1''a")).toBeUndefined();
  for (const none of [undefined, '', 'inline', 'inline; name=x', 'inline; filename='])
    expect(readFileName(none)).toBeUndefined();
});
