import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { welcomePage } from './welcome-page.js';

const config = {
  serverName: 'example.org' as ServerName,
  publicUrl: 'https://m.example.org',
  registration: 'token',
} as const;

describe('the page at /', () => {
  it('says what it is, its address and how to get an account', () => {
    const page = welcomePage(config);
    expect(page).toContain('Matrix');
    expect(page).toContain('https://m.example.org');
    expect(page).toContain('@name:example.org');
    expect(page).toContain('Registration needs a token');
    expect(welcomePage({ ...config, registration: 'closed' })).toContain('Registration is closed');
  });

  it('loads nothing from elsewhere and runs no script', () => {
    expect(welcomePage(config)).not.toMatch(/<(script|link|img|iframe)|\bsrc=|@import|url\(/);
  });

  it('escapes what the configuration says', () => {
    expect(welcomePage({ ...config, publicUrl: 'https://x/"><script>' })).not.toContain('<script>');
  });
});
