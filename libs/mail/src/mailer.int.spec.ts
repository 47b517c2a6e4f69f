import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Logger } from '@nestjs/common';
import { loadConfig } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { Mailer, MailFailure } from './mailer.js';
import { composeMail } from './mail-look.js';

const limits = (figures = ''): RateLimits =>
  new RateLimits(loadConfig({ ANNALS_RATE_LIMIT_FIGURES: figures }), { elapsed: () => 0 });

describe('a mail', () => {
  let server: MailServer;
  let mailer: Mailer;
  beforeAll(async () => {
    server = await startMailServer();
    mailer = new Mailer({ mail: { smtpUrl: server.url, from: 'The pub <pub@example.org>' } }, limits());
  });
  afterAll(async () => {
    await mailer.onModuleDestroy();
    await server.close();
  });
  afterEach(() => vi.restoreAllMocks());

  it('is handed over to the mail server, in plain text and in HTML', async () => {
    const link = { label: 'Confirm', url: 'https://example.org/confirm?a=1&b=<2>' };
    await mailer.send(
      composeMail('alice@example.org', {
        subject: 'Is this yöurs?',
        says: ['Somebody <you?> gave this address.'],
        code: '123 456',
        link,
        ends: ['Else do nothing.'],
      }),
    );
    const { source, text, html } = await server.waitFor('alice@example.org');
    expect(source).toContain('From: The pub <pub@example.org>');
    expect(source).toContain('Auto-Submitted: auto-generated');
    expect(source).toMatch(/Subject: =\?UTF-8\?Q\?Is_this_y=C3=B6urs=3F\?=/);
    expect(text).toContain('Somebody <you?> gave this address.');
    expect(text).toContain(link.url);
    expect(html).toContain('Somebody &#60;you?&#62; gave this address.');
    expect(html).toContain('href="https://example.org/confirm?a=1&#38;b=&#60;2&#62;"');
    expect(mailer.numbers).toEqual({ sent: 1, failed: 0, waiting: 0 });
  });

  it('may have an id of its own, and say where who wants no more of them posts to', async () => {
    const unsubscribe = `https://example.org/end?token=${'x'.repeat(300)}`;
    await mailer.send({ to: 'ada@example.org', subject: 'x', text: 'x', id: 'one.and.the.same', unsubscribe });
    const { source } = await server.waitFor('ada@example.org');
    const head = source.split('\r\n\r\n')[0]!.replace(/\r\n[ \t]+/g, ' ');
    expect(head).toContain('Message-ID: <one.and.the.same@example.org>');
    expect(head).toMatch(/^List-Unsubscribe: <https:\/\/example\.org\/end\?token=x{300}>$/m);
    expect(head).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
  });

  it('has one receiver and one subject, whatever is asked for', async () => {
    const mail = { to: 'alice@example.org', subject: 'x', text: 'x' };
    for (const to of [
      'alice@example.org\r\nBcc: eve@example.org',
      'a@example.org,b@example.org',
      'A <a@example.org>',
    ]) {
      await expect(mailer.send({ ...mail, to })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' });
    }
    await expect(mailer.send({ ...mail, subject: 'x\r\nBcc: eve@example.org' })).rejects.toThrow('more than one line');
  });

  it('shows in its subject what is in it, and decodes nothing that somebody called themselves', async () => {
    const subject = `=?utf-8?q?https=3A//evil.example?= invites you to “${'ü'.repeat(40)} =?utf-8?b?ZXZpbA==?=” on Matrix`;
    await mailer.send({ to: 'named@example.org', subject, text: 'x' });
    const { source } = await server.waitFor('named@example.org');
    const head = source.split('\r\n\r\n')[0]!.replace(/\r\n[ \t]+/g, ' ');
    const [, written = ''] = /^Subject: (.*)$/m.exec(head)!;
    const words = written.split(' ').map((word) => /^=\?UTF-8\?B\?([\w+/=]+)\?=$/.exec(word));
    expect(written.split(' ').every((word) => word.length <= 75)).toBe(true);
    expect(words.map((word) => Buffer.from(word![1]!, 'base64').toString()).join('')).toBe(subject);
  });

  it('that is refused is an error which says nothing of whom it was to', async () => {
    server.refused.add('nobody@example.org');
    const refused: unknown = await mailer
      .send({ to: 'nobody@example.org', subject: 'x', text: 'x' })
      .catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(MailFailure);
    expect((refused as MailFailure).message).not.toContain('nobody');
    expect(refused).toMatchObject({ isTransient: false, isOfMailbox: true });
    // Of who relays nothing for this server whoever is mailed is not to blame.
    server.barred.add('barred@example.org');
    const barred = mailer.send({ to: 'barred@example.org', subject: 'x', text: 'x' });
    await expect(barred).rejects.toMatchObject({ isTransient: false, isOfMailbox: false });
    server.busy.add('later@example.org');
    const later = mailer.send({ to: 'later@example.org', subject: 'x', text: 'x' });
    await expect(later).rejects.toMatchObject({ isTransient: true, isOfMailbox: false });
    const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    mailer.post({ to: 'nobody@example.org', subject: 'x', text: 'x' });
    await expect.poll(() => logged).toHaveBeenCalled();
    expect(JSON.stringify(logged.mock.calls)).not.toContain('nobody');
  });

  it('may be tried again where nobody answers', async () => {
    const lonely = new Mailer({ mail: { smtpUrl: 'smtp://127.0.0.1:1', from: 'pub@example.org' } }, limits());
    const sent = lonely.send({ to: 'alice@example.org', subject: 'x', text: 'x' });
    await expect(sent).rejects.toMatchObject({ name: 'MailFailure', isTransient: true });
    expect(lonely.numbers).toEqual({ sent: 0, failed: 1, waiting: 0 });
    await lonely.onModuleDestroy();
  });

  it('does not wait where a thousand do', async () => {
    const full = new Mailer({ mail: { smtpUrl: server.url, from: 'pub@example.org' } }, limits());
    const mail = { to: 'many@example.org', subject: 'x', text: 'x' };
    const sent = Array.from({ length: 1_000 }, () => full.send(mail));
    await expect(full.send(mail)).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    expect(() => full.checkRoom('many@example.org')).toThrow();
    await Promise.all(sent);
    full.checkRoom('many@example.org');
    await full.onModuleDestroy();
  });

  it('goes to one address a few times, and to others meanwhile', () => {
    const one = new Mailer({ mail: { smtpUrl: server.url, from: 'pub@example.org' } }, limits('mail=2:0.001'));
    one.checkRoom('alice@example.org');
    one.checkRoom('alice@example.org');
    const refused = expect.objectContaining({ errcode: 'M_LIMIT_EXCEEDED' }) as Error;
    expect(() => one.checkRoom('alice@example.org')).toThrow(refused);
    one.checkRoom('bob@example.org');
  });
});
