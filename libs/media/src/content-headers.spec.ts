import { describe, expect, it } from 'vitest';
import { describeContent } from './content-headers.js';

describe('how content is given out', () => {
  it('is to be shown only where browsers run nothing of it, whatever case its type is in', () => {
    expect(describeContent('image/png', undefined)).toEqual({ type: 'image/png', disposition: 'inline' });
    expect(describeContent('IMAGE/PNG; a=b', undefined).disposition).toBe('inline');
    expect(describeContent('text/plain; charset=utf-8', undefined).type).toBe('text/plain; charset=utf-8');
    for (const type of ['text/html', 'image/svg+xml', 'application/pdf', 'text/javascript', 'image/pngx', undefined]) {
      expect(describeContent(type, undefined).disposition).toBe('attachment');
    }
    expect(describeContent(undefined, undefined).type).toBe('application/octet-stream');
  });

  it('says what the file is called, in any script', () => {
    const of = (name: string): string => describeContent('image/png', name).disposition;
    expect(of('rock.png')).toBe('inline; filename="rock.png"');
    expect(of('the rock (1).png')).toBe('inline; filename="the rock (1).png"');
    expect(of('a";x="b')).toBe("inline; filename*=utf-8''a%22%3Bx%3D%22b");
    expect(of('back\\slash')).toBe("inline; filename*=utf-8''back%5Cslash");
    expect(of("März's*.png")).toBe("inline; filename*=utf-8''M%C3%A4rz%27s%2A.png");
    expect(of('🎉')).toBe("inline; filename*=utf-8''%F0%9F%8E%89");
  });
});
