import { describe, expect, it } from 'vitest';
import { pickFields } from './pick-fields.js';

const event = { type: 'm', content: { body: 'b', 'm.key': 1, deep: { er: 2, rest: 3 } }, sender: '@a:x' };
const pick = (...paths: string[]): unknown => JSON.parse(pickFields(JSON.stringify(event), paths));

describe('pickFields', () => {
  it('keeps what the paths name and nothing else', () => {
    expect(pick('type', 'content.body')).toEqual({ type: 'm', content: { body: 'b' } });
    expect(pick('content.deep.er')).toEqual({ content: { deep: { er: 2 } } });
    expect(pick('nothing', 'content.nothing', 'type.deeper')).toEqual({});
  });

  it('takes a dot behind a backslash as part of a name', () => {
    expect(pick('content.m\\.key')).toEqual({ content: { 'm.key': 1 } });
    expect(pick('content.m.key')).toEqual({});
  });

  it('comes to the same in any order of the paths, also where one holds another', () => {
    const whole = { content: event.content };
    expect(pick('content', 'content.body')).toEqual(whole);
    expect(pick('content.body', 'content')).toEqual(whole);
  });

  it('knows no special keys', () => {
    const text = '{"__proto__":{"x":1},"type":"m"}';
    expect(pickFields(text, ['__proto__.x', 'type'])).toBe('{"__proto__":{"x":1},"type":"m"}');
    expect(pickFields(text, ['constructor'])).toBe('{}');
  });
});
