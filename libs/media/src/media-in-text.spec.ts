import { expect, it } from 'vitest';
import { mxcOf } from './media-id.js';
import { mediaIn } from './media-in-text.js';

it('finds the media that events name, wherever they do, each once', () => {
  const event = {
    content: {
      url: 'mxc://a.example:8448/one',
      info: { thumbnail_url: 'mxc://a.example:8448/two-_2' },
      formatted_body: '<img src="mxc://[::1]:80/three"> or mxc://a.example:8448/one.',
      bad: ['mxc://', 'mxc:///x', 'mxc://a.example', 'mxc://a..b!/x', 'xmc://a.example/no'],
    },
  };
  expect(mediaIn(JSON.stringify(event)).map(mxcOf)).toEqual([
    'mxc://a.example:8448/one',
    'mxc://a.example:8448/two-_2',
    'mxc://[::1]:80/three',
  ]);
  expect(mediaIn('{}')).toEqual([]);
});
